// Package archtest holds the rules of the house that a compiler doesn't: who may import whom, and what stands at the top
// of the repository. The linter's depguard lists say the same, sooner.
package archtest

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rosterd/rosterd"

// root is the repository, seen from this package's folder, in which its tests run.
var root = filepath.Join("..", "..")

// rooms gives for each room of the house the other rooms that it may import. A package belongs to the deepest room that
// it stands in; inside a room anything goes.
var rooms = map[string][]string{
	"cmd":                      {"configs", "internal/api/client", "internal/bench", "internal/config", "internal/daemon", "internal/idpsim"},
	"configs":                  {},
	"connectors":               {},
	"connectors/connectortest": {"connectors"},
	"connectors/entra":         {"connectors"},
	"connectors/okta":          {"connectors"},
	"connectors/scim":          {"connectors"},
	"reconcile":                {"internal/roster"},
	"scimserver":               {"internal/roster", "internal/store", "internal/web", "scimserver/scim"},
	"scimserver/scim":          {},
	"syncer":                   {"connectors", "internal/mapping", "internal/roster", "internal/store", "reconcile"},
	"internal/alerts":          {"internal/roster", "internal/store", "internal/web"},
	"internal/api":             {"internal/api/client", "internal/roster", "internal/store", "internal/web"},
	"internal/api/client":      {},
	"internal/archtest":        {},
	"internal/bench":           {"internal/api/client", "internal/daemon", "internal/idpsim"},
	"internal/config":          {"internal/mapping", "internal/roster"},
	"internal/console":         {"internal/api", "internal/roster", "internal/store", "internal/web"},
	"internal/daemon": {
		"connectors", "connectors/entra", "connectors/okta", "connectors/scim", "reconcile", "scimserver", "scimserver/scim", "syncer",
		"internal/alerts", "internal/api", "internal/api/client", "internal/config", "internal/console", "internal/idpsim",
		"internal/keyring", "internal/mapping", "internal/roster", "internal/signin", "internal/store", "internal/web",
		"internal/webhooks",
	},
	"internal/idpsim":          {"scimserver/scim"},
	"internal/keyring":         {},
	"internal/mapping":         {"connectors", "internal/roster"},
	"internal/roster":          {"internal/keyring"},
	"internal/signin":          {"internal/roster", "internal/store", "internal/web"},
	"internal/store":           {"internal/roster"},
	"internal/store/storetest": {"internal/roster", "internal/store"},
	"internal/web":             {},
	"internal/webhooks":        {"internal/roster", "internal/store", "internal/web"},
}

// kept gives for each outside library (and whatever is below it) the only rooms that may import it.
var kept = map[string][]string{
	"github.com/microsoft/kiota-":   {"connectors/entra"},
	"github.com/microsoftgraph/":    {"connectors/entra"},
	"github.com/okta/":              {"connectors/okta"},
	"github.com/prometheus/":        {"internal/daemon"},
	"go.opentelemetry.io/":          {"internal/daemon"},
	"github.com/standard-webhooks/": {"internal/alerts", "internal/webhooks"},
	"github.com/wneessen/":          {"internal/alerts"},
	"github.com/riverqueue/":        {"internal/alerts", "internal/daemon", "internal/store", "internal/webhooks"},
}

// pure gives for each room that does no I/O what it therefore leaves alone. Of net/http, scim has the status codes.
var pure = map[string][]string{
	"internal/keyring": {"database/sql", "net", "net/http", "os", "os/exec"},
	"internal/mapping": {"database/sql", "net", "net/http", "os", "os/exec"},
	"reconcile":        {"database/sql", "net", "net/http", "os", "os/exec"},
	"scimserver/scim":  {"database/sql", "net", "os", "os/exec"},
}

// graphRoot drags the whole Graph SDK into the build.
const graphRoot = "github.com/microsoftgraph/msgraph-sdk-go"

// topFolders may stand at the top of the repository, generated ones and those of tools may lie there.
var (
	topFolders = []string{".ci", "cmd", "configs", "connectors", "docs", "internal", "reconcile", "scimserver", "syncer"}
	lyingThere = []string{".git", ".idea", ".vscode", "bin", "data"}
)

func TestImportsRunDownwardOnly(t *testing.T) {
	t.Parallel()
	touchSources(t)
	for pkg, imports := range packages(t) {
		if slices.Contains(imports, graphRoot) {
			t.Errorf("%s imports %s: import the sub-packages that are needed", pkg, graphRoot)
		}
		ours, isOurs := strings.CutPrefix(pkg, module+"/")
		if !isOurs {
			continue
		}
		from := roomOf(ours)
		if from == "" {
			t.Errorf("%s is in no room of the house: give it one here and in .golangci.yml", ours)
			continue
		}
		for _, imported := range imports {
			if why := refuse(from, imported); why != "" {
				t.Errorf("%s imports %s: %s", ours, imported, why)
			}
		}
	}
}

func TestTopFolders(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(topFolders, e.Name()) && !slices.Contains(lyingThere, e.Name()) {
			t.Errorf("folder %s at the top of the repository: it has a place further down, or none", e.Name())
		}
	}
}

// refuse says why a package of room from may not import a package, or returns "".
func refuse(from, imported string) string {
	if ours, isOurs := strings.CutPrefix(imported, module+"/"); isOurs {
		if to := roomOf(ours); to != from && !slices.Contains(rooms[from], to) {
			return from + " may import of ours only [" + strings.Join(rooms[from], " ") + "]"
		}
		return ""
	}
	for library, only := range kept {
		if strings.HasPrefix(imported, library) && !slices.Contains(only, from) {
			return "only [" + strings.Join(only, " ") + "] may"
		}
	}
	if slices.Contains(pure[from], imported) {
		return from + " does no I/O"
	}
	return ""
}

// roomOf returns the deepest room that a package, named without the module's prefix, stands in, or "".
func roomOf(pkg string) string {
	for ; pkg != "."; pkg = path.Dir(pkg) {
		if _, ok := rooms[pkg]; ok {
			return pkg
		}
	}
	return ""
}

// packages lists what the module is built from, ours and not, with what each package imports outside its tests.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = root
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		found[fields[0]] = fields[1:]
	}
	return found
}

// touchSources looks at every folder with sources, so that a result kept by "go test" is dropped when one changes: it
// knows what the test itself opens, and nothing of what "go list" reads.
func touchSources(t *testing.T) {
	t.Helper()
	for _, folder := range topFolders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(string, fs.DirEntry, error) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
}
