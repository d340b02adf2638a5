package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// Metrics are off unless the file says where; then Prometheus sees tokens that expire and tokens that nobody knows, and no
// log line or metric has a token that was pasted into an address.
func TestE2EMetrics(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		if strings.Contains(m.daemon.errOut.String(), "metrics") {
			m.t.Error("metrics are served by default")
		}
		m.stop()
		m.file("rosterd.yaml", "metrics_listen: 127.0.0.1:0\n")
		m.serve("--config", "rosterd.yaml")
		found := regexp.MustCompile(`metrics are served" url=(\S+)`).FindStringSubmatch(m.daemon.errOut.String())
		if found == nil {
			m.t.Fatal("the log doesn't say where the metrics are")
		}
		metrics := func() string {
			res, err := http.Get(found[1])
			if err != nil {
				m.t.Fatal(err)
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				m.t.Fatalf("the metrics: %d, %v", res.StatusCode, err)
			}
			return string(text)
		}
		made := asked[client.Token](m, exitDone, "token create --org default --name idp --expires 90d")
		expires := fmt.Sprintf("rosterd_token_expires_timestamp_seconds{organisation=\"default\",token=\"idp\"} %s\n",
			strconv.FormatFloat(float64(made.ExpiresAt.Unix()), 'g', -1, 64))
		if text := metrics(); !strings.Contains(text, expires) {
			m.t.Errorf("no %s in\n%s", expires, text)
		}
		_, stranger, _ := roster.MintToken()
		m.pushing(stranger).must(m.t, http.StatusUnauthorized, "GET", "/Users", nil)
		p := m.pushing(made.Token)
		p.must(m.t, http.StatusOK, "GET", "/Users", nil)
		p.must(m.t, http.StatusNotFound, "GET", "/Users/"+made.Token, nil)
		m.until("requests are counted", func() bool {
			text := metrics()
			return strings.Contains(text, `rosterd_scim_tokens_refused_total{reason="unknown"} 1`) &&
				strings.Contains(text, `rosterd_scim_requests_total{code="200",method="GET",resource="Users"} 1`) &&
				strings.Contains(text, `rosterd_scim_requests_total{code="404",method="GET",resource="Users"} 1`) &&
				strings.Contains(text, `version="v0.0.0-e2e"`)
		})
		m.want(exitDone, "token disable idp --org default")
		text := metrics()
		if strings.Contains(text, "rosterd_token_expires_timestamp_seconds{") {
			m.t.Error("a disabled token has a metric")
		}
		m.until("the access log has the path, masked", func() bool { return strings.Contains(m.daemon.errOut.String(), "/Users/rst_***") })
		for what, said := range map[string]string{"the metrics": text, "the log": m.daemon.errOut.String()} {
			if strings.Contains(said, made.Token[:30]) || strings.Contains(said, stranger[:30]) {
				m.t.Errorf("%s hold a token", what)
			}
		}
		if code := m.stop(); code != exitDone {
			m.t.Errorf("stopped with %d", code)
		}
	})
}
