package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
)

// rosterd serve needs no configuration, and says what a person needs to go on.
func TestE2EServe(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.refused("status", "data/rosterd.sock", "rosterd serve")
		m.serve()
		said := m.daemon.out.String()
		for _, want := range []string{"v0.0.0-e2e", m.db.Kind, "http://127.0.0.1:", "rosterd token create --org default --name NAME --expires 90d\n"} {
			if !strings.Contains(said, want) {
				m.t.Errorf("the daemon says %q, not %q", said, want)
			}
		}
		m.warns("public_url is not set")
		m.answers("/healthz", "ok\n")
		m.answers("/readyz", "ready\n")
		m.private()
		m.second()
		m.contract()
		if code := m.stop(); code != exitDone {
			m.t.Errorf("after SIGTERM: exit code %d", code)
		}
		m.refused("status", "data/rosterd.sock", "rosterd serve")
		m.publicURL()
	})
}

func (m *machine) answers(path, want string) {
	m.t.Helper()
	r, err := http.Get(m.url + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	var text strings.Builder
	if err := r.Write(&text); err != nil || r.StatusCode != http.StatusOK || !strings.HasSuffix(text.String(), want) {
		m.t.Errorf("%s: %d %q, %v", path, r.StatusCode, text.String(), err)
	}
}

// private holds that nobody else on the machine can open the socket or what is stored.
func (m *machine) private() {
	m.t.Helper()
	modes := map[string]os.FileMode{"data": os.ModeDir | 0o700, "data/rosterd.sock": os.ModeSocket | 0o600}
	if m.db.URL == "" {
		modes["data/rosterd.db"] = 0o600
	}
	for name, want := range modes {
		info, err := os.Stat(filepath.Join(m.db.Dir, name))
		if err != nil || info.Mode() != want {
			m.t.Errorf("%s: mode %v, want %v, %v", name, info.Mode(), want, err)
		}
	}
}

// second holds that a second daemon keeps off the data directory, and that the first goes on undisturbed.
func (m *machine) second() {
	m.t.Helper()
	p := m.launch()
	<-p.gone
	if code := p.cmd.ProcessState.ExitCode(); code != exitFailed || p.out.String() != "" {
		m.t.Errorf("a second daemon: exit code %d, said %q", code, p.out.String())
	}
	if want := "another rosterd is running on this data directory: it answers on data/rosterd.sock"; !strings.Contains(p.errOut.String(), want) {
		m.t.Errorf("a second daemon says %q", p.errOut.String())
	}
	m.want(exitDone, "status")
}

// contract holds that exit codes are as the help says and --json prints one document, on standard output alone.
func (m *machine) contract() {
	m.t.Helper()
	for line, code := range map[string]int{
		"members list": exitUsage, "members list --org default extra": exitUsage, "nosuch": exitUsage, "": exitUsage,
		"token create --org default --name n --expires 90": exitUsage, "serve --listen nowhere": exitUsage, "serve --json": exitUsage,
		"members list --org nosuch": exitFailed, "runs show nosuch": exitFailed, "diff --org default": exitFailed,
		"serve --config nosuch.yaml": exitFailed,
	} {
		got := m.want(code, line)
		if got.out != "" || !strings.HasPrefix(lastLines(got.errOut), "rosterd: ") {
			m.t.Errorf("rosterd %s: %+v", line, got)
		}
	}
	for _, list := range []string{"members", "teams", "requests", "connection", "token", "apikey"} {
		if got := m.want(exitDone, list+" list --org default --json"); got.out != "[]\n" || got.errOut != "" {
			m.t.Errorf("%s list: %+v", list, got)
		}
	}
	if s := asked[client.Status](m, exitDone, "status"); s.Database != m.db.Kind || s.Version != "v0.0.0-e2e" || len(s.Connections) != 0 {
		m.t.Errorf("status: %+v", s)
	}
	orgs := asked[[]client.Organisation](m, exitDone, "org list")
	if len(orgs) != 1 || orgs[0].Name != "default" || !orgs[0].SCIM {
		m.t.Errorf("organisations: %+v", orgs)
	}
	scim := asked[client.SCIMStatus](m, exitDone, "org scim status --org default")
	if !scim.Enabled || scim.BaseURL != m.scim {
		m.t.Errorf("SCIM: %+v, the daemon said %s", scim, m.scim)
	}
}

// lastLines drops the help that may stand before the message.
func lastLines(text string) string {
	if i := strings.Index(text, "rosterd: "); i >= 0 {
		return text[i:]
	}
	return text
}

// publicURL holds that what IdPs are given follows public_url, with a warning where it isn't https.
func (m *machine) publicURL() {
	m.t.Helper()
	m.serve("--public-url", "https://id.example.com/")
	if m.scim != "https://id.example.com/service/v1/scim/v2" {
		m.t.Errorf("base URL %s", m.scim)
	}
	p := m.daemon
	m.stop()
	if log := p.errOut.String(); strings.Contains(log, "WARN") {
		m.t.Errorf("a warning in %q", log)
	}
	m.env = append(m.env, "ROSTERD_PUBLIC_URL=http://id.example.com")
	m.serve()
	m.warns("public_url is not https")
	m.stop()
}

// warns waits for a line of the daemon's log.
func (m *machine) warns(words string) {
	m.t.Helper()
	m.until("the daemon warns: "+words, func() bool { return strings.Contains(m.daemon.errOut.String(), words) })
}
