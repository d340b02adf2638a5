package scimserver_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryTestInTheConformanceTableExists keeps docs/scim-conformance.md from naming tests that were renamed or dropped.
func TestEveryTestInTheConformanceTableExists(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/scim-conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			there[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)\\w+)`").FindAllStringSubmatch(string(doc), -1)
	if len(named) < 50 {
		t.Errorf("the table names %d tests only", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("the table names %s, which isn't there", m[1])
		}
	}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|--") && len(cells) > 3 && strings.TrimSpace(cells[len(cells)-2]) == "" {
			t.Errorf("no test in: %s", line)
		}
	}
}
