package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// simulator is a running `rosterd idpsim`.
type simulator struct {
	m     *machine
	p     *process
	url   string
	entry string // what it says belongs under connections:
}

// idpsim starts a simulated identity provider and waits until it has said everything.
func (m *machine) idpsim(args ...string) *simulator {
	m.t.Helper()
	p := &process{cmd: m.command(append([]string{"idpsim"}, append(args, "--listen", "127.0.0.1:0")...)...), gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errOut
	m.ok(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // its exit code is read from ProcessState
		close(p.gone)
	}()
	m.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended by itself
		<-p.gone
	})
	m.until("the simulator says how it is reached", func() bool {
		select {
		case <-p.gone:
			m.t.Fatalf("the simulator ended with %d: %s", p.cmd.ProcessState.ExitCode(), p.errOut.String())
		default:
		}
		return strings.Contains(p.out.String(), "Ctrl-C ends it.")
	})
	out := p.out.String()
	_, rest, _ := strings.Cut(out, "listens on ")
	url, _, _ := strings.Cut(rest, ".\n")
	_, entry, _ := strings.Cut(out, "\nconnections:\n")
	entry, _, _ = strings.Cut(entry, "\n\n")
	if _, export, found := strings.Cut(out, "\nexport "); found {
		export, _, _ = strings.Cut(export, "\n")
		m.env = append(m.env, export)
	}
	return &simulator{m, p, url, entry + "\n"}
}

// ask sends a request to the control surface and decodes the answer.
func (s *simulator) ask(method, path, body string, into any) {
	s.m.t.Helper()
	req, err := http.NewRequestWithContext(s.m.t.Context(), method, s.url+"/_sim"+path, strings.NewReader(body))
	s.m.ok(err)
	res, err := (&http.Client{}).Do(req)
	s.m.ok(err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	s.m.ok(err)
	if res.StatusCode >= 300 {
		s.m.t.Fatalf("%s %s %s: %d %s", method, path, body, res.StatusCode, raw)
	}
	if into != nil {
		s.m.ok(json.Unmarshal(raw, into))
	}
}

// told is the oracle's answer.
type told struct {
	People []struct{ ID, UserName string }
	Teams  []struct {
		DisplayName string
		Members     []string
	}
}

// converged holds that members and teams are what the oracle says.
func (s *simulator) converged(when string) {
	s.m.t.Helper()
	var want told
	s.ask("GET", "/oracle", "", &want)
	names, people, teams := map[string]string{}, []string{}, []string{}
	for _, p := range want.People {
		names[p.ID] = p.UserName
		people = append(people, p.UserName)
	}
	for _, t := range want.Teams {
		var members []string
		for _, id := range t.Members {
			members = append(members, names[id])
		}
		teams = append(teams, teamKey(t.DisplayName, members))
	}
	var here, grouped []string
	for _, member := range s.m.members("default") {
		if member.Status == "pending" || member.Status == "active" {
			here = append(here, member.UserName)
		}
	}
	for _, t := range s.m.teams("default") {
		grouped = append(grouped, teamKey(t.DisplayName, t.Members))
	}
	for what, pair := range map[string][2][]string{"people": {people, here}, "teams": {teams, grouped}} {
		slices.Sort(pair[0])
		slices.Sort(pair[1])
		if !slices.Equal(pair[0], pair[1]) || len(pair[0]) == 0 {
			s.m.t.Errorf("%s, %s: there %q, here %q", when, what, pair[0], pair[1])
		}
	}
}

// Somebody starts a simulated provider, pastes what it prints, and has a run read it; then things change and go wrong.
func TestE2EIDPSim(t *testing.T) {
	for kind, c := range map[string]struct{ list, disable string }{
		"entra": {"/v1.0/groups/*/members", "disable"},
		"okta":  {"/api/v1/apps/*/users", "suspend"},
	} {
		t.Run(kind, func(t *testing.T) {
			eachMachine(t, func(m *machine) {
				m.file("faults.yaml", `# the wire is bad at first
faults:
  - GET `+c.list+`: 429 times=1 retry_after=1
  - match: GET /**
    fault: truncate
    after: 2
    times: 1
`)
				s := m.idpsim(kind, "--users", "60", "--groups", "4", "--seed", "3", "--faults", filepath.Join(m.db.Dir, "faults.yaml"), "--fault", "GET /**: reset after=5 times=1")
				m.configure(s.entry)
				m.serve("--config", "rosterd.yaml")
				m.want(exitDone, "resync --org default --wait")
				s.converged("after the first run")
				var about struct{ Users int }
				if s.ask("GET", "/", "", &about); about.Users != 60 {
					m.t.Errorf("%d people in the directory", about.Users)
				}
				var struck []struct{ Struck int }
				if s.ask("GET", "/faults", "", &struck); len(struck) != 3 || slices.ContainsFunc(struck, func(f struct{ Struck int }) bool { return f.Struck != 1 }) {
					m.t.Errorf("faults %+v", struck)
				}

				var people told
				s.ask("GET", "/oracle?limit=1", "", &people)
				off := people.People[0].ID
				s.ask("POST", "/mutate", fmt.Sprintf(`{"op":%q,"user":%q}`, c.disable, off), nil)
				s.ask("PUT", "/faults", `["GET `+c.list+`: empty_page times=1", "GET /**: 503 every=5 times=3 retry_after=1"]`, nil)
				m.want(exitDone, "resync --org default --wait")
				s.converged("after somebody left")

				m.ok(s.p.cmd.Process.Signal(syscall.SIGINT))
				<-s.p.gone
				if code := s.p.cmd.ProcessState.ExitCode(); code != exitDone {
					m.t.Errorf("after SIGINT: exit code %d, %s", code, s.p.errOut.String())
				}
			})
		})
	}
}

// The simulator's own provisioning pushes what a run would make as well.
func TestE2EIDPSimPushes(t *testing.T) {
	for _, kind := range []string{"entra", "okta"} {
		t.Run(kind, func(t *testing.T) {
			eachMachine(t, func(m *machine) {
				m.serve()
				m.env = append(m.env, "SIM_TOKEN="+m.token("default", "sim"))
				s := m.idpsim(kind, "--users", "40", "--groups", "3", "--push-to", m.scim, "--push-token-env", "SIM_TOKEN", "--push-every", "0")
				var sum struct{ Created, Failed int }
				if s.ask("POST", "/push", "", &sum); sum.Created < 40 || sum.Failed > 0 {
					m.t.Errorf("pushed %+v", sum)
				}
				s.converged("after a push")
			})
		})
	}
}

func TestIDPSimRefusesWhatItCannotDo(t *testing.T) {
	db := storetest.Database{Dir: t.TempDir()}
	m := &machine{t: t, db: db, binary: binary(t), env: environmentWithout("ROSTERD_")}
	m.file("bad.yaml", "faults:\n  - GET /users: 299\n")
	m.file("odd.yaml", "rules: []\n")
	for line, want := range map[string]string{
		"entra --listen 0.0.0.0:0":           "--insecure-listen",
		"entra --listen :0":                  "others could reach it",
		"okta --listen 8090":                 "want host:port",
		"entra --users -1":                   "can't be negative",
		"entra --faults none.yaml":           "read the faults",
		"entra --faults bad.yaml":            "400 to 599",
		"entra --faults odd.yaml":            "under the key faults",
		"entra --fault nonsense":             "want METHOD /path: fault",
		"entra --clock yesterday":            "2026-01-05T09:00:00Z",
		"entra --push-to http://127.0.0.1:1": "--push-token-env",
		"okta --push-to http://127.0.0.1:1 --push-token-env NOWHERE": "empty or not set",
		"entra --server http://127.0.0.1:1":                          "takes no --server",
		"":                                                           "needs a command",
		"google":                                                     "unknown command",
	} {
		if got := m.want(exitUsage, "idpsim "+line); !strings.Contains(got.errOut, want) || got.out != "" {
			t.Errorf("idpsim %s: %q, want %q; on standard output %q", line, got.errOut, want, got.out)
		}
	}
}

// What the document shows is taken as it stands there.
func TestTheFaultsInTheDocumentAreTaken(t *testing.T) {
	text, err := os.ReadFile("../../docs/idpsim.md")
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ := strings.Cut(string(text), "```yaml\nfaults:")
	file, _, _ = strings.Cut("faults:"+file, "```")
	rules, err := parseFaults([]byte(file))
	if err != nil || len(rules) != 2 {
		t.Fatalf("%d rules, %v in\n%s", len(rules), err, file)
	}
	if r := rules[0]; r.Match != "GET /api/v1/apps/*/users?after=" || r.Fault != "duplicate" || r.Times != 1 {
		t.Errorf("a line: %+v", r)
	}
	if r := rules[1]; r.Match != "GET /**" || r.Fault != "503" || r.Every != 20 || r.Code != "E0000010" {
		t.Errorf("a mapping: %+v", r)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		if _, rule, found := strings.Cut(line, "--fault '"); found {
			rule, _, _ = strings.Cut(rule, "'")
			if _, err := idpsim.ParseRule(rule); err != nil {
				t.Error(err)
			}
			lines++
		}
	}
	for _, kind := range idpsim.FaultKinds() {
		if !strings.Contains(string(text), "`"+kind+"`") {
			t.Errorf("the document says nothing of %s", kind)
		}
	}
	if lines < 3 {
		t.Errorf("%d faults on command lines", lines)
	}
}
