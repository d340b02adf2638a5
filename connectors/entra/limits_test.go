package entra_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
)

// TestLimitsAreSharedByApplicationAndTenant: what one connection of an app registration is told holds for the next.
func TestLimitsAreSharedByApplicationAndTenant(t *testing.T) {
	t.Parallel()
	used := func(share string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("x-ms-throttle-limit-percentage", share)
			page()(w, r)
		}
	}
	for name, tc := range map[string]struct {
		first  http.HandlerFunc
		client string // of the second connection
		waits  time.Duration
	}{
		"throttled":                      {throttled(429, "30"), "one", 30 * time.Second},
		"unavailable":                    {throttled(503, "30"), "one", 30 * time.Second},
		"another application":            {throttled(429, "30"), "two", 0},
		"throttled without a time":       {throttled(429, ""), "one", 0},
		"a third of a window over 0.8":   {used("1.13"), "one", 3300 * time.Millisecond},
		"all that is allowed, and more":  {used("1.8"), "one", 10 * time.Second},
		"nothing that could be a share":  {used("80"), "one", 0},
		"another, near the limit of one": {used("1.8"), "two", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := connectors.NewLimits()
				s := &script{steps: []http.HandlerFunc{tc.first, page()}}
				graph := transportFunc(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo") {
						return s.RoundTrip(r)
					}
					return (&script{steps: []http.HandlerFunc{page()}}).RoundTrip(r)
				})
				open := func(client string) *entra.Connector {
					c, err := entra.Open(entra.Config{
						GraphURL: fakeURL, AccessToken: fakeToken, TenantID: "contoso", ClientID: client, ServicePrincipalID: appID, Limits: limits,
					}, &http.Client{Transport: graph}, nil)
					must(t, err)
					return c
				}
				one, two := open("one"), open(tc.client)
				var asking sync.WaitGroup
				asking.Go(func() { must(t, one.Pull(t.Context(), &connectortest.Recorder{})) })
				synctest.Wait()
				began := time.Now()
				must(t, two.Pull(t.Context(), &connectortest.Recorder{}))
				if waited := time.Since(began); waited < tc.waits || waited > tc.waits+time.Second {
					t.Errorf("the second connection waited for %s, want %s", waited, tc.waits)
				}
				asking.Wait()
			})
		})
	}
}
