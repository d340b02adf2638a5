package daemon

import (
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rosterd/rosterd/internal/store"
)

// names are those that a started registry has series of, or may have.
func names(t *testing.T) (all map[string]bool, own []string) {
	t.Helper()
	db, err := store.Open(t.Context(), "", t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	m, err := newMetrics("v1", db, &orgNames{db: db, known: map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	all = map[string]bool{"up": true} // Prometheus' own, of each target
	form := regexp.MustCompile(`fqName: "([^"]+)"`)
	for _, c := range m.own {
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for d := range descs {
			name := form.FindStringSubmatch(d.String())[1]
			own = append(own, name)
			if _, histogram := c.(*prometheus.HistogramVec); histogram {
				all[name+"_bucket"], all[name+"_sum"], all[name+"_count"] = true, true, true
			} else {
				all[name] = true
			}
		}
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		all[f.GetName()] = true
	}
	return all, own
}

var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	metric   = regexp.MustCompile(`\b(?:rosterd|go|process)_[a-z0-9_]*|\bup\b`)
	brackets = map[rune]rune{')': '(', ']': '[', '}': '{'}
)

// checkQuery demands that a query uses metrics that are there, and that its brackets match.
func checkQuery(t *testing.T, where, query string, known map[string]bool, used map[string]bool) {
	t.Helper()
	bare := quoted.ReplaceAllString(query, `""`)
	found := metric.FindAllString(bare, -1)
	if len(found) == 0 {
		t.Errorf("%s asks for no metric: %s", where, query)
	}
	for _, name := range found {
		if used[name] = true; !known[name] {
			t.Errorf("%s: there is no metric %s: %s", where, name, query)
		}
	}
	var open []rune
	for _, r := range bare {
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != brackets[r] {
				t.Errorf("%s: a %c is not opened: %s", where, r, query)
				return
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || strings.Contains(bare, `""""`) {
		t.Errorf("%s: something is not closed: %s", where, query)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheDashboardAndTheAlertsUseMetricsThatAreThere(t *testing.T) {
	known, own := names(t)
	used := map[string]bool{}
	var board struct {
		UID, Title string
		Panels     []struct {
			ID         int
			Type       string
			Title      string
			Datasource struct{ UID string }
			GridPos    struct{ X, Y, W, H int }
			Targets    []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "configs/grafana-dashboard.json")), &board); err != nil || board.UID == "" {
		t.Fatal(board.Title, err)
	}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %s stands where another does, or too far right", p.Title)
		}
		if ids[p.ID] = true; p.Type == "row" {
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %s reads from %q with %d queries", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for _, q := range p.Targets {
			checkQuery(t, "panel "+p.Title, q.Expr, known, used)
		}
	}
	for _, v := range board.Templating.List {
		if v.Type == "query" {
			checkQuery(t, "variable "+v.Name, v.Definition, known, used)
		}
	}
	for _, name := range own { // the dashboard leaves nothing out
		if !used[name] && !used[name+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(t, "configs/prometheus-rules.yml")), &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			checkQuery(t, "alert "+r.Alert, r.Expr, known, used)
			if alerts[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("alert %s is there twice, or lacks a severity, summary or description", r.Alert)
			}
			alerts[r.Alert] = true
		}
	}
	if len(alerts) < 10 {
		t.Errorf("%d alerts", len(alerts))
	}
}

func TestTheDocsListEveryMetric(t *testing.T) {
	_, own := names(t)
	docs := read(t, "docs/operations.md")
	for _, name := range own {
		if !strings.Contains(docs, "| `"+name+"` |") {
			t.Errorf("docs/operations.md doesn't list %s", name)
		}
	}
}
