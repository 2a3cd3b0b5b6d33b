package store

// CollectedItems is the statement by which windows are read that close, in the SDK's SQL.
const CollectedItems = collectedItems
