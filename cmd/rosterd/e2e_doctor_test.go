package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
)

// doctor runs `rosterd doctor scim` as somebody would, with an environment and a standard input.
type doctor struct {
	t      testing.TB
	binary string
	dir    string
	env    []string
	stdin  string
}

func (d doctor) run(args ...string) (result, checkUp) {
	d.t.Helper()
	cmd := exec.Command(d.binary, append([]string{"doctor", "scim"}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = d.dir, append(environmentWithout("ROSTERD_"), d.env...), strings.NewReader(d.stdin), &out, &errOut
	_ = cmd.Run() // its exit code is looked at
	got := result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	var found checkUp
	if slices.Contains(args, "--json") && got.out != "" {
		if err := json.Unmarshal(out.Bytes(), &found); err != nil {
			d.t.Fatalf("%v: %v in %s", args, err, got.out)
		}
	}
	return got, found
}

// want demands that a check came out so, with words in what it says.
func (c checkUp) want(t testing.TB, check string, state findingState, words ...string) {
	t.Helper()
	for _, f := range c.Checks {
		if f.Check != check || f.State != state {
			continue
		}
		all := f.Text + " | " + f.Fix
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all, w) }) {
			return
		}
	}
	t.Errorf("no %s %q that says %q in\n%+v", state, check, words, c.Checks)
}

func (c checkUp) states(state findingState) []string {
	var out []string
	for _, f := range c.Checks {
		if f.State == state {
			out = append(out, f.Check)
		}
	}
	return out
}

// elsewhere is an address of this machine other than the loopback ones; without one the test is skipped.
func elsewhere(t testing.TB) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but the loopback one")
	return ""
}

// A daemon behind a TLS proxy passes both tests; the check-up leaves nothing behind but its requests in the log.
func TestE2EDoctorOfAGoodSetUp(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		certs := newAuthority(m.t, m.db.Dir)
		proxy := certs.serve(m.t, elsewhere(m.t), certs.leaf(m.t, leafOf{ip: elsewhere(m.t)}), m.proxy())
		d := doctor{t: m.t, binary: m.binary, dir: m.db.Dir, env: []string{"SSL_CERT_FILE=" + certs.file}}
		base := "https://" + proxy + "/service/v1/scim/v2"
		before := len(m.events("default"))

		got, found := d.run("--org", "default", "--url", base, "--json")
		if got.code != exitDone || !found.OK || !found.Entra || !found.Okta || len(found.states(stateFail)) > 0 {
			m.t.Errorf("exit code %d, %s%s", got.code, got.out, got.errOut)
		}
		for _, check := range []string{"TCP", "TLS", "service", "clock", "token", "Entra: the same with //Users", "Okta: GET /Groups?count=100"} {
			found.want(m.t, check, stateOK)
		}
		found.want(m.t, "URL", stateWarn, "the daemon itself says "+m.scim)
		if tokens := asked[[]client.Token](m, exitDone, "token list --org default"); len(tokens) > 0 {
			m.t.Errorf("it left %+v", tokens)
		}
		if members := m.members("default"); len(members) > 0 {
			m.t.Errorf("it left %+v", members)
		}
		for _, e := range m.events("default")[before:] {
			if e.Type != "token.created" && e.Type != "token.deleted" {
				m.t.Errorf("without --write it made the event %+v", e)
			}
		}
		m.until("its requests are in the log", func() bool {
			rows := asked[[]client.Request](m, exitDone, "requests list --org default --path //Users")
			return len(rows) == 1 && rows[0].Quirk == "double slash" && strings.HasPrefix(rows[0].Token, "doctor-")
		})
		m.writes(d, base)
		m.bySlash(d, base)
	})
}

// proxy passes everything on to the daemon.
func (m *machine) proxy() http.Handler {
	to, err := url.Parse(m.url)
	if err != nil {
		m.t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(to)
}

// writes holds that --write makes a user and takes it away, with a token from standard input that is shown nowhere.
func (m *machine) writes(d doctor, base string) {
	m.t.Helper()
	secret := m.token("default", "entra")
	for _, way := range []string{"stdin", "file", "environment"} {
		d := d
		args := []string{"--org", "default", "--url", base, "--write"}
		switch way {
		case "stdin":
			d.stdin, args = secret+"\n", append(args, "--token-file", "-")
		case "file":
			m.file("token", secret+"\r\n")
			args = append(args, "--token-file", "token")
		default:
			d.env = append(d.env, "ROSTERD_SCIM_TOKEN="+secret)
		}
		got, _ := d.run(args...)
		for _, want := range []string{"ok    token: entra, bound to no connection, expires 20", "ok    write: a user was made", "Entra's Test Connection would pass.\n", "Okta's connector test would pass.\n"} {
			if !strings.Contains(got.out, want) {
				m.t.Errorf("%s: %q is not in\n%s%s", way, want, got.out, got.errOut)
			}
		}
		if all := got.out + got.errOut; got.code != exitDone || strings.Contains(all, secret[8:30]) {
			m.t.Errorf("%s: exit code %d\n%s", way, got.code, all)
		}
		for line := range strings.Lines(got.out) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 80 {
				m.t.Errorf("%s: more than 80 columns: %q", way, line)
			}
		}
	}
	for _, member := range m.members("default") {
		m.t.Errorf("it left %+v", member)
	}
	m.want(exitDone, "token delete entra --org default")
}

// bySlash holds that a slash at the end and Entra's flag do no harm, and that Okta is told of the slash.
func (m *machine) bySlash(d doctor, base string) {
	m.t.Helper()
	got, found := d.run("--org", "default", "--url", base+"/", "--json")
	found.want(m.t, "URL", stateWarn, "Okta wants it without", "give Okta "+base)
	if got.code != exitDone || !found.Entra || !found.Okta {
		m.t.Errorf("with a slash: %s", got.out)
	}
	if got, found := d.run("--org", "default", "--url", base+"?aadOptscim062020", "--json"); got.code != exitDone || !found.OK {
		m.t.Errorf("with Entra's flag: %s", got.out)
	}
}

// What stands in the way of a set-up on one machine is said, and so is everything that is wrong with a token.
func TestE2EDoctorOfTokens(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		d := doctor{t: m.t, binary: m.binary, dir: m.db.Dir}
		got, found := d.run("--org", "default", "--json")
		if got.code != exitFailed || found.OK || found.Entra {
			m.t.Errorf("exit code %d, %s", got.code, got.out)
		}
		found.want(m.t, "URL", stateFail, "127.0.0.1 is this machine alone", "set public_url")
		found.want(m.t, "Entra: GET /Users?filter=userName eq", stateOK, "200 in ")
		if n := len(found.states(stateFail)); n != 1 {
			m.t.Errorf("%d checks failed, want the URL alone: %s", n, got.out)
		}
		m.want(exitDone, "org create acme")
		m.want(exitDone, "org scim on --org acme")
		theirs, mine := m.token("acme", "theirs"), m.token("default", "mine")
		key := asked[client.APIKey](m, exitDone, "apikey create --org default --name k --role viewer --expires 1d").Key
		away := asked[client.Token](m, exitDone, "token create --org default --name away --expires 1d --from 198.51.100.0/24").Token
		for name, tc := range map[string]struct {
			token string
			args  []string
			state findingState
			words []string
			sent  bool // whether it is tried
		}{
			"fine":                  {mine, nil, stateOK, []string{"mine, bound to no connection"}, true},
			"with its scheme":       {"Bearer " + mine, nil, stateWarn, []string{`begins with "Bearer "`, "the token alone"}, true},
			"with a space":          {" " + mine, nil, stateFail, []string{"white space", "copy it again"}, true},
			"broken in two lines":   {mine[:30] + "\n" + mine[30:], nil, stateFail, []string{"white space"}, true},
			"another one's":         {theirs, nil, stateFail, []string{"no such token in this organisation"}, true},
			"a letter changed":      {mine[:40] + "aaaa" + mine[44:], nil, stateFail, []string{"not as rosterd makes them"}, true},
			"half of it":            {mine[:40], nil, stateFail, []string{"a part is missing"}, true},
			"an API key":            {key, nil, stateFail, []string{"an API key"}, false},
			"another product's":     {"ghp_abc", nil, stateFail, []string{"begin with rst_"}, false},
			"of another connection": {mine, []string{"--connection", "entra"}, stateFail, []string{"not bound to connection entra", "token create --org default --connection entra"}, true},
			"not for this address":  {away, nil, stateWarn, []string{"taken from 198.51.100.0/24 only"}, true},
		} {
			m.file("token", tc.token)
			got, found := d.run(append([]string{"--org", "default", "--token-file", "token", "--json"}, tc.args...)...)
			found.want(m.t, "token", tc.state, tc.words...)
			if probed := !slices.Contains(found.states(stateSkip), "probes"); probed != tc.sent {
				m.t.Errorf("%s: tried %t, want %t: %s", name, probed, tc.sent, got.out)
			}
			for _, secret := range []string{theirs, mine, key, away} {
				if strings.Contains(got.out+got.errOut, secret[8:28]) {
					m.t.Errorf("%s: it shows a secret: %s%s", name, got.out, got.errOut)
				}
			}
		}
		m.file("token", mine)
		m.want(exitDone, "token disable mine --org default")
		m.want(exitDone, "org scim off --org default")
		m.until("the token is refused", func() bool {
			_, found = d.run("--org", "default", "--token-file", "token", "--json")
			return slices.Contains(found.states(stateFail), "Entra: GET /Users?filter=userName eq")
		})
		found.want(m.t, "SCIM", stateFail, "switched off", "rosterd org scim on --org default")
		found.want(m.t, "token", stateFail, "disabled", "token enable")
		found.want(m.t, "Okta: GET /Groups?count=100", stateFail, "401: the token is not accepted", "see what is said of the token")
		m.refused("doctor scim --org nosuch", "nosuch")
		m.want(exitUsage, "doctor scim")
	})
}

// Without a daemon that can be asked, a URL and a token are enough; one of them alone is not.
func TestE2EDoctorElsewhere(t *testing.T) {
	path := binary(t)
	t.Parallel()
	d := doctor{t: t, binary: path, dir: t.TempDir(), env: []string{"ROSTERD_SCIM_TOKEN=rst_" + strings.Repeat("a", 84)}}
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization")
		http.NotFound(w, r)
	}))
	defer server.Close()
	got, found := d.run("--org", "default", "--url", server.URL+"/scim/v2", "--json")
	found.want(t, "daemon", stateSkip, "not asked: ")
	found.want(t, "service", stateFail, "there is nothing (404)")
	found.want(t, "probes", stateSkip, "mended")
	if got.code != exitFailed || len(asked) != 1 || <-asked != "" {
		t.Errorf("exit code %d; the token was sent to what is no SCIM service", got.code)
	}
	d.env = nil
	if got, _ := d.run("--org", "default", "--url", server.URL+"/scim/v2"); got.code != exitFailed || !strings.Contains(got.errOut, "rosterd.sock") {
		t.Errorf("without a token: %+v", got)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "empty"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{"--token-file nowhere": "nowhere", "--token-file empty": "there is none"} {
		got, _ := d.run(append([]string{"--org", "o", "--url", server.URL + "/scim/v2"}, strings.Fields(args)...)...)
		if got.code != exitFailed || !strings.Contains(got.errOut, want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// What is sent in the clear is never a token.
func TestE2EDoctorKeepsTheTokenOffPlainHTTP(t *testing.T) {
	path, host := binary(t), elsewhere(t)
	t.Parallel()
	sent := make(chan string, 100)
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{ReadHeaderTimeout: time.Minute, Handler: goodService(func(r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			sent <- a
		}
	})}}
	server.Start()
	defer server.Close()
	d := doctor{t: t, binary: path, dir: t.TempDir(), env: []string{"ROSTERD_SCIM_TOKEN=rst_" + strings.Repeat("a", 84)}}
	got, found := d.run("--org", "default", "--url", server.URL+"/scim/v2", "--json")
	found.want(t, "URL", stateFail, "plain http")
	found.want(t, "service", stateOK)
	found.want(t, "probes", stateSkip, "not sent in the clear")
	if got.code != exitFailed || len(sent) > 0 {
		t.Errorf("exit code %d, %d tokens sent", got.code, len(sent))
	}
}
