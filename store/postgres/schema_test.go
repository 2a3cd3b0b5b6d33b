package postgres

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/internal/migration"
)

// TestTablesHaveWriters holds the page that says who writes which table against
// the schemas of both engines.
func TestTablesHaveWriters(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z_]+)` \\| [^|]+ \\|").FindAllSubmatch(page, -1) {
		listed = append(listed, string(m[1]))
	}
	slices.Sort(listed)
	steps, err := migration.Load(files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := migration.Load(os.DirFS("../sqlite"), "migrations")
	if err != nil || len(embedded) != len(steps) {
		t.Fatalf("%d steps for PostgreSQL, %d for SQLite, %v", len(steps), len(embedded), err)
	}
	tables := func(steps []migration.Migration, create, name string) (out []string) {
		for _, s := range steps {
			for _, m := range regexp.MustCompile(create).FindAllStringSubmatch(s.Text, -1) {
				out = append(out, regexp.MustCompile(`^(\w+?)[._]`).ReplaceAllString(m[1], name))
			}
		}
		slices.Sort(out)
		return out
	}
	create := `CREATE TABLE ([a-z]+[._][a-z_]+)`
	if diff := cmp.Diff(tables(steps, create, "$1."), listed); diff != "" {
		t.Errorf("docs/architecture.md does not list the tables of PostgreSQL (-schema +page):\n%s", diff)
	}
	if diff := cmp.Diff(tables(embedded, create, "$1."), listed); diff != "" {
		t.Errorf("docs/architecture.md does not list the tables of SQLite (-schema +page):\n%s", diff)
	}
}
