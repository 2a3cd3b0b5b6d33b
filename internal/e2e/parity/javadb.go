package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/glebarez/go-sqlite" // trivy's index of Java archives is a file of SQLite
)

// emptyJavaIndex makes the index of Java archives that trivy wants before it reads a jar, with
// nothing in it: it then says what archives say of themselves, as the others do.
func emptyJavaIndex(ctx context.Context, cache string) error {
	dir := filepath.Join(cache, "java-db")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "trivy-java.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	for _, q := range []string{
		`CREATE TABLE artifacts (id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT)`,
		`CREATE TABLE indices (artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT)`,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("make an empty index: %w", err)
		}
	}
	const meta = `{"Version":1,"NextUpdate":"2100-01-01T00:00:00Z","UpdatedAt":"2026-01-01T00:00:00Z","DownloadedAt":"2026-01-01T00:00:00Z"}`
	return os.WriteFile(filepath.Join(dir, "metadata.json"), []byte(meta), 0o644)
}
