package scimserver_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver"
)

// tally is a Meter that counts by what it was told.
type tally struct {
	mu    sync.Mutex
	count map[string]int
	told  chan struct{} // has one for each request
}

func newTally() *tally { return &tally{count: map[string]int{}, told: make(chan struct{}, 100)} }

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[what]++
}

func (c *tally) Request(method, resource string, status int, took time.Duration) {
	if took <= 0 {
		c.add("took no time")
	}
	c.add(fmt.Sprint(method, " ", resource, " ", status))
	c.told <- struct{}{}
}

func (c *tally) Admitted(context.Context, string, string) {}

func (c *tally) Refused(reason string) { c.add("refused " + reason) }

// take waits until so many requests were told of, which is after they were answered, and returns what was counted since it
// was last called.
func (c *tally) take(t testing.TB, requests int) map[string]int {
	t.Helper()
	for range requests {
		select {
		case <-c.told:
		case <-time.After(time.Minute):
			t.Fatal("a request was not metered")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.count
	c.count = map[string]int{}
	return out
}

func eachMetered(t *testing.T, test func(s *service, m *tally)) {
	t.Helper()
	m := newTally()
	eachWith(t, scimserver.Config{TokenCache: -1, Meter: m}, func(s *service) { test(s, m) })
}

func TestEachRequestIsMeteredUnderWordsThatNoClientChooses(t *testing.T) {
	eachMetered(t, func(s *service, m *tally) {
		for _, tc := range []struct{ method, path, body, want string }{
			{"GET", "/Users", "", "GET Users 200"},
			{"GET", "/Users?filter=userName+eq+%22x%22", "", "GET Users 200"},
			{"HEAD", "/Users", "", "HEAD Users 200"},
			{"GET", "//Users//", "", "GET Users 200"},
			{"POST", "/Users", oktaUser, "POST Users 201"},
			{"POST", "/Users", oktaUser, "POST Users 409"},
			{"GET", "/Users/nobody", "", "GET Users 404"},
			{"PATCH", "/Groups/" + roster.NewID(), "{", "PATCH Groups 400"},
			{"DELETE", "/Groups/x", "", "DELETE Groups 404"},
			{"PUT", "/Users", "{}", "PUT Users 405"},
			{"POST", "/Users/.search", `{"count":1}`, "POST Users 200"},
			{"POST", "/.search", `{"count":1}`, "POST root 200"},
			{"GET", "", "", "GET root 200"},
			{"GET", "/Schemas/urn:x", "", "GET Schemas 404"},
			{"GET", "/Me", "", "GET Me 501"},
			{"OPTIONS", "/Groups", "", "OPTIONS Groups 204"},
			{"GET", "/" + s.token, "", "GET other 404"},
			{"GET", "/users", "", "GET other 404"},
			{"GET", "/Users%2Fx/y", "", "GET other 404"},
			{"GET", "/Users/a/b/c", "", "GET other 404"},
			{"GET", "/*", "", "GET other 404"},
			{"GET", "/%00%ff", "", "GET other 404"},
			{"BREW", "/Users", "", "other Users 405"},
			{"GeT", "/Users", "", "other Users 405"},
			{strings.ToUpper(strings.ReplaceAll(s.token[4:40], "_", "")), "/x", "", "other other 404"},
		} {
			r := s.send(request{method: tc.method, path: tc.path, body: tc.body})
			if got := m.take(s, 1); len(got) != 1 || got[tc.want] != 1 {
				s.Errorf("%s %s, answered %d: metered as %v, want %q", tc.method, tc.path, r.status, got, tc.want)
			}
		}
		bulk := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
			{"method":"DELETE","path":"/Users/a"},{"method":"DELETE","path":"/Users/b"}]}`
		s.must(http.StatusOK, "POST", "/Bulk", bulk)
		if got := m.take(s, 1); len(got) != 1 || got["POST Bulk 200"] != 1 {
			s.Errorf("a bulk request is metered as %v", got)
		}
	})
}

func TestEachRefusedTokenIsMeteredWithItsReason(t *testing.T) {
	eachMetered(t, func(s *service, m *tally) {
		plain, id := s.newToken(s.org, "second", "")
		_, stranger, _ := roster.MintToken()
		elsewhere, anywhere, rate := sources("192.0.2.0/24"), sources(), roster.MinTokenRate
		unknown := func(token string) func() {
			return func() { s.send(request{method: "GET", path: "/Users", token: token}) }
		}
		try := unknown(plain)
		seen := map[string]bool{}
		for _, tc := range []struct {
			reason string
			do     func()
			mend   func()
		}{
			{scimserver.RefusedUnknown, unknown(stranger), func() {}},
			{scimserver.RefusedUnknown, unknown("abc"), func() {}},
			{scimserver.RefusedUnknown, unknown(otherSecret(plain)), func() {}},
			{scimserver.RefusedDisabled, func() { s.commit(s.org, roster.TokenSet{ID: id, Disabled: true}); try() }, func() { s.commit(s.org, roster.TokenSet{ID: id}) }},
			{scimserver.RefusedExpired, func() { s.now = expiry; try() }, func() { s.now = time.Time{} }},
			{scimserver.RefusedSwitchedOff, func() { s.commit(s.org, roster.OrgSCIM{}); try() }, func() { s.commit(s.org, roster.OrgSCIM{On: true}) }},
			{scimserver.RefusedAddress, func() { s.commit(s.org, roster.TokenLimit{ID: id, Sources: &elsewhere}); try() }, func() { s.commit(s.org, roster.TokenLimit{ID: id, Sources: &anywhere}) }},
			{scimserver.RefusedRate, func() {
				s.now = time.Now()
				s.commit(s.org, roster.TokenLimit{ID: id, Rate: &rate})
				for range rate {
					try()
				}
				try()
			}, func() { s.now = time.Time{} }},
		} {
			tc.do()
			requests := 1
			if tc.reason == scimserver.RefusedRate {
				requests += rate
			}
			got := m.take(s, requests)
			maps.DeleteFunc(got, func(what string, _ int) bool { return !strings.HasPrefix(what, "refused ") })
			if len(got) != 1 || got["refused "+tc.reason] != 1 {
				s.Errorf("%s: metered as %v", tc.reason, got)
			}
			tc.mend()
			seen[tc.reason] = true
		}
		if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, slices.Sorted(slices.Values(scimserver.RefusedReasons()))) {
			s.Errorf("tried %v of %v", got, scimserver.RefusedReasons())
		}
		// Without a token nothing is refused that could be counted, and discovery needs none.
		s.send(request{method: "GET", path: "/Users", token: "-"})
		s.send(request{method: "GET", path: "/Schemas", token: stranger})
		if got := m.take(s, 2); len(got) != 2 || got["GET Users 401"] != 1 || got["GET Schemas 200"] != 1 {
			s.Errorf("metered as %v", got)
		}
	})
}
