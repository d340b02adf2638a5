package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
)

// forwarded is what a proxy, or somebody who would be taken for one, adds to requests.
type forwarded struct{ name, value string }

func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Add(f.name, f.value)
	return http.DefaultTransport.RoundTrip(r)
}

// A token's source ranges, the request log and the access log go by the address that a trusted proxy names, and by nobody
// else's word.
func TestE2EProxies(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.file("rosterd.yaml", "trusted_proxies: [127.0.0.1, 10.0.0.0/8]\n")
		m.serve("--config", "rosterd.yaml")
		token := asked[client.Token](m, exitDone, "token create --org default --name idp --expires 90d --from 192.0.2.0/24").Token
		from := func(name, value string) *pushing {
			p := m.pushing(token)
			p.http.Transport = forwarded{name, value}
			return p
		}
		clients := func() (out []string) {
			for _, r := range asked[[]client.Request](m, exitDone, "requests list --org default --method POST") {
				out = append(out, r.Client)
			}
			return out
		}
		from("X-Forwarded-For", "192.0.2.7, 10.0.0.3").must(m.t, http.StatusCreated, "POST", "/Users", user("ada@example.com", "Ada"))
		from("Forwarded", `for="192.0.2.8:4711";proto=https`).must(m.t, http.StatusCreated, "POST", "/Users", user("bob@example.com", "Bob"))
		from("X-Forwarded-For", "192.0.2.7, 198.51.100.9").must(m.t, http.StatusUnauthorized, "POST", "/Users", user("eve@example.com", "Eve"))
		m.until("the request log names each client", func() bool {
			return strings.Join(clients(), " ") == "192.0.2.7 192.0.2.8 198.51.100.9"
		})
		m.until("so does the access log", func() bool {
			log := m.daemon.errOut.String()
			return strings.Contains(log, "client=192.0.2.7") && strings.Contains(log, "client=198.51.100.9")
		})
		m.stop()
		m.serve() // nobody is trusted
		from("X-Forwarded-For", "192.0.2.7").must(m.t, http.StatusUnauthorized, "POST", "/Users", user("eve@example.com", "Eve"))
		m.until("the access log has the peer", func() bool {
			return strings.Contains(m.daemon.errOut.String(), "status=401") && strings.Contains(m.daemon.errOut.String(), "client=127.0.0.1")
		})
	})
}
