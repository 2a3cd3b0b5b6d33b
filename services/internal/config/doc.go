// Package config is the one configuration of all processes: defaults, then a YAML file,
// then the environment, then flags, each over the one before. The model is a struct with
// tags; names of variables and flags, checks and the documentation are made of it.
//
// [Load] reports all mistakes at once, each with its key, where it was given, and what is
// wanted. Secrets can be given by file, and are never shown: not in an error, and not by
// [Config.Print].
package config
