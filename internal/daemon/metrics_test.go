package daemon_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/daemon"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

const patience = time.Minute

// running is a daemon with metrics, a client of its socket, and how to stop it.
type running struct {
	*testing.T

	daemon *daemon.Daemon
	api    *client.Client
	stop   context.CancelFunc
	ended  chan error
}

func options(d storetest.Database) daemon.Options {
	c := config.Default()
	c.Listen, c.MetricsListen, c.DataDir, c.DatabaseURL = "127.0.0.1:0", "127.0.0.1:0", d.Dir, config.Secret(d.URL)
	return daemon.Options{Config: c, Version: "v9.8.7", Out: io.Discard, Log: slog.New(slog.DiscardHandler)}
}

func eachRunning(t *testing.T, test func(r *running)) {
	t.Helper()
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		t.Helper()
		test(start(t, options(db)))
	})
}

func start(t *testing.T, opts daemon.Options) *running {
	t.Helper()
	d, err := daemon.New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{T: t, daemon: d, stop: stop, ended: make(chan error, 1)}
	go func() {
		r.ended <- d.Run(ctx)
		close(r.ended)
	}()
	t.Cleanup(func() {
		stop()
		<-r.ended
	})
	if r.api, err = client.New(client.Options{Socket: client.SocketPath(opts.Config.DataDir)}); err != nil {
		t.Fatal(err)
	}
	return r
}

// newToken makes a token of the default organisation.
func (r *running) newToken(name, expires string) client.Token {
	r.Helper()
	made, err := r.api.CreateToken(r.Context(), daemon.DefaultOrganisation, client.NewToken{Name: name, Expires: expires})
	if err != nil {
		r.Fatal(err)
	}
	return made
}

// ask sends a request and returns what was answered.
func (r *running) ask(method, url, token, body string) (status int, text string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, url, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return res.StatusCode, string(all)
}

// scrape reads the metrics: the whole text, and each series' value.
func (r *running) scrape() (text string, series map[string]float64) {
	r.Helper()
	status, text := r.ask(http.MethodGet, r.daemon.MetricsURL(), "", "")
	if status != http.StatusOK {
		r.Fatalf("the metrics: %d %s", status, text)
	}
	series = map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if name += "}"; !ok {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			series[name] = n
		}
	}
	return text, series
}

// counts waits until series have the values: a request is counted after it was answered.
func (r *running) counts(want map[string]float64) {
	r.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		text, series := r.scrape()
		missing := ""
		for name, value := range want {
			if series[name] != value {
				missing += fmt.Sprintf("%s is %v, want %v\n", name, series[name], value)
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("%sin\n%s", missing, text)
		}
	}
}

func requests(method, resource, code string) string {
	return fmt.Sprintf("rosterd_scim_requests_total{code=%q,method=%q,resource=%q}", code, method, resource)
}

func refused(reason string) string {
	return fmt.Sprintf("rosterd_scim_tokens_refused_total{reason=%q}", reason)
}

func expires(token string) string {
	return fmt.Sprintf("rosterd_token_expires_timestamp_seconds{organisation=\"default\",token=%q}", token)
}

func TestMetricsCountWhatIdPsAskFor(t *testing.T) {
	eachRunning(t, func(r *running) {
		token := r.newToken("idp", "90d").Token
		kind := "postgres"
		if strings.HasSuffix(r.Name(), "/sqlite") {
			kind = "sqlite"
		}
		text, series := r.scrape()
		for _, name := range []string{
			fmt.Sprintf("rosterd_build_info{database=%q,goversion=%q,version=%q}", kind, runtime.Version(), "v9.8.7"),
			refused("unknown"), refused("expired"), refused("disabled"), refused("switched_off"), refused("address"), refused("rate"),
			"go_goroutines", "process_start_time_seconds",
		} {
			if _, ok := series[name]; !ok {
				r.Errorf("before any request %s isn't there", name)
			}
		}
		if !strings.Contains(text, "go_sql_in_use_connections{db_name=\""+kind) {
			r.Errorf("no gauge of %s's connections", kind)
		}
		_, stranger, _ := roster.MintToken()
		scim := r.daemon.SCIMBaseURL()
		_, made := r.ask("POST", scim+"/Users", token, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com"}`)
		id := strings.Split(strings.Split(made, `"id":"`)[1], `"`)[0]
		r.ask("GET", scim+"/Users/"+id, token, "")
		r.ask("GET", scim+"/Users/"+id, token, "")
		r.ask("GET", scim+"/Users", stranger, "")
		r.ask("BREW", scim+"/Users", token, "")
		r.ask("GET", scim+"/"+token, token, "")
		r.ask("GET", scim+"/Users/x/ada@example.com", token, "")
		r.counts(map[string]float64{
			requests("POST", "Users", "201"): 1, requests("GET", "Users", "200"): 2, requests("GET", "Users", "401"): 1,
			requests("other", "Users", "405"): 1, requests("GET", "other", "404"): 2, refused("unknown"): 1, refused("expired"): 0,
			`rosterd_scim_request_duration_seconds_count{method="GET",resource="Users"}`:             3,
			`rosterd_scim_request_duration_seconds_bucket{method="POST",resource="Users",le="+Inf"}`: 1,
		})
		text, _ = r.scrape()
		for _, never := range []string{"rst_", "BREW", id, "ada@example.com"} {
			if strings.Contains(text, never) {
				r.Errorf("the metrics hold %q", never)
			}
		}
	})
}

func TestMetricsSayWhenTokensExpire(t *testing.T) {
	eachRunning(t, func(r *running) {
		soon, odd := r.newToken("soon", "2d"), r.newToken(`Entra "ID" \2027 é`, "365d")
		r.newToken("always", "never")
		// there demands that of the tokens these, and no others, have a series.
		there := func(when string, tokens ...client.Token) {
			r.Helper()
			text, series := r.scrape()
			if n := strings.Count(text, "\nrosterd_token_expires_timestamp_seconds{"); n != len(tokens) {
				r.Errorf("%s: %d tokens, want %d", when, n, len(tokens))
			}
			for _, t := range tokens {
				if got := series[expires(t.Name)]; got != float64(t.ExpiresAt.Unix()) {
					r.Errorf("%s: %s expires at %v, want %d", when, t.Name, got, t.ExpiresAt.Unix())
				}
			}
		}
		there("as made", soon, odd)
		if _, err := r.api.DisableToken(r.Context(), daemon.DefaultOrganisation, "soon"); err != nil {
			r.Fatal(err)
		}
		there("disabled", odd)
		if _, err := r.api.EnableToken(r.Context(), daemon.DefaultOrganisation, "soon"); err != nil {
			r.Fatal(err)
		}
		there("enabled", soon, odd)
		if err := r.api.DeleteToken(r.Context(), daemon.DefaultOrganisation, odd.ID); err != nil {
			r.Fatal(err)
		}
		there("deleted", soon)
	})
}

func TestMetricsHaveAListenerThatServesNothingElse(t *testing.T) {
	eachRunning(t, func(r *running) {
		at := strings.TrimSuffix(r.daemon.MetricsURL(), "/metrics")
		for _, tc := range []struct {
			method, url string
			want        int
		}{
			{"GET", at + "/metrics", http.StatusOK},
			{"POST", at + "/metrics", http.StatusMethodNotAllowed},
			{"GET", at + "/", http.StatusNotFound},
			{"GET", at + "/healthz", http.StatusNotFound},
			{"GET", at + "/service/v1/scim/v2/Schemas", http.StatusNotFound},
			{"GET", at + "/api/v1/orgs", http.StatusNotFound},
			{"GET", at + "/debug/pprof/", http.StatusNotFound},
			{"GET", r.daemon.LocalURL() + "/metrics", http.StatusNotFound},
		} {
			if got, body := r.ask(tc.method, tc.url, "", ""); got != tc.want {
				r.Errorf("%s %s: %d %s, want %d", tc.method, tc.url, got, body, tc.want)
			}
		}
	})
}

func TestMetricsCanBeReadUntilOpenRequestsHaveFinished(t *testing.T) {
	eachRunning(t, func(r *running) {
		token := r.newToken("idp", "1d").Token
		address := strings.TrimPrefix(r.daemon.LocalURL(), "http://")
		open, err := net.Dial("tcp", address)
		if err != nil {
			r.Fatal(err)
		}
		defer open.Close()
		const body = `{"userName":"ada@example.com"}`
		_, _ = fmt.Fprintf(open, "POST /scim/v2/Users HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/scim+json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", address, token, len(body))
		answers := bufio.NewReader(open)
		if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
			r.Fatalf("the request isn't read: %q, %v", line, err)
		}
		r.stop()
		for deadline := time.Now().Add(patience); ; runtime.Gosched() { // until it takes no request any more
			c, err := net.Dial("tcp", address)
			if err != nil {
				break
			}
			_ = c.Close()
			if time.Now().After(deadline) {
				r.Fatal("the daemon does not stop")
			}
		}
		r.scrape()
		_, _ = io.WriteString(open, body)
		for { // the rest of the interim answer, then the status
			line, err := answers.ReadString('\n')
			if err != nil {
				r.Fatal(err)
			}
			if status, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
				if !strings.HasPrefix(status, "201") {
					r.Errorf("the open request: %s", line)
				}
				break
			}
		}
		if err := <-r.ended; err != nil {
			r.Error(err)
		}
		if c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(r.daemon.MetricsURL(), "http://"), "/metrics")); err == nil {
			_ = c.Close()
			r.Error("the metrics are served after the daemon's end")
		}
	})
}

func TestAnAddressForMetricsThatIsTakenStopsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := options(storetest.Database{Dir: t.TempDir()})
	o.Config.MetricsListen = taken.Addr().String()
	for range 2 { // what the first one took, it has given back
		_, err := daemon.New(t.Context(), o)
		if err == nil || !strings.HasPrefix(err.Error(), "metrics_listen: listen on "+taken.Addr().String()+": ") {
			t.Fatalf("it starts: %v", err)
		}
	}
}
