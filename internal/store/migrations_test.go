package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Replicas of the version before go on beside a newer one that has migrated the database: nothing that they write or read
// may be taken from them. What a migration adds to a table that was there has a default, or may be null.
func TestMigrationsOnlyExpand(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	made := map[string]string{} // which migration made a table
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range statementsOf(string(text)) {
			if table := created.FindStringSubmatch(statement); table != nil {
				made[table[1]] = file
			}
			if why := takesAway(statement, func(table string) bool { return made[table] != file }); why != "" {
				t.Errorf("%s: %s:\n%s", file, why, statement)
			}
		}
	}
}

var (
	comment = regexp.MustCompile(`--[^\n]*`)
	space   = regexp.MustCompile(`\s+`)
	created = regexp.MustCompile(`(?i)^CREATE (?:\{unlogged\} )?TABLE (\w+)`)
	altered = regexp.MustCompile(`(?i)^ALTER TABLE (\w+) (.*)$`)
	added   = regexp.MustCompile(`(?i)^ADD COLUMN`)
	unique  = regexp.MustCompile(`(?i)^CREATE UNIQUE INDEX \w+ ON (\w+)`)
	dropped = regexp.MustCompile(`(?i)^(DROP (TABLE|VIEW|COLUMN)|RENAME|TRUNCATE)`)
)

func statementsOf(text string) []string {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	var out []string
	for _, s := range strings.Split(comment.ReplaceAllString(up, ""), ";") {
		if s = strings.TrimSpace(space.ReplaceAllString(s, " ")); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// takesAway says what a statement takes from the version before; was tells which tables that one knows.
func takesAway(statement string, was func(table string) bool) string {
	upper := strings.ToUpper(statement)
	if dropped.MatchString(statement) {
		return "what the version before may use goes away"
	}
	if index := unique.FindStringSubmatch(statement); index != nil && was(index[1]) {
		return "what the version before writes may clash"
	}
	table := altered.FindStringSubmatch(statement)
	switch {
	case table == nil || !was(table[1]):
		return ""
	case !added.MatchString(table[2]):
		return "a table that was there is changed otherwise than by a column more"
	case strings.Contains(upper, "NOT NULL") && !strings.Contains(upper, "DEFAULT"):
		return "the version before can't write a row without this column"
	case strings.Contains(upper, "UNIQUE") || strings.Contains(upper, "CHECK") || strings.Contains(upper, "REFERENCES"):
		return "what the version before writes may be refused"
	}
	return ""
}

func TestWhatAMigrationMustNotDo(t *testing.T) {
	for statement, allowed := range map[string]bool{
		"ALTER TABLE members ADD COLUMN a {text} NOT NULL DEFAULT ''":   true,
		"ALTER TABLE members ADD COLUMN a BIGINT":                       true,
		"CREATE INDEX i ON members (a)":                                 true,
		"DROP INDEX i":                                                  true,
		"ALTER TABLE members ADD COLUMN a {text} NOT NULL":              false,
		"ALTER TABLE members ADD COLUMN a BIGINT REFERENCES teams (id)": false,
		"ALTER TABLE members DROP COLUMN a":                             false,
		"ALTER TABLE members RENAME COLUMN a TO b":                      false,
		"ALTER TABLE members ALTER COLUMN a SET NOT NULL":               false,
		"CREATE UNIQUE INDEX i ON members (a)":                          false,
		"DROP TABLE members":                                            false,
	} {
		if why := takesAway(statement, func(string) bool { return true }); (why == "") != allowed {
			t.Errorf("%s: %q", statement, why)
		}
	}
}
