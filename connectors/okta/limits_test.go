package okta_test

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/okta"
)

// window is an answer that says how much of its limit is left, for so many seconds.
func window(limit, remaining, seconds int) http.HandlerFunc {
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC) // not our clock's
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.Header().Set("X-Rate-Limit-Limit", strconv.Itoa(limit))
		w.Header().Set("X-Rate-Limit-Remaining", strconv.Itoa(remaining))
		w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(now.Unix()+int64(seconds), 10))
		one200(w, r)
	}
}

// TestLimitsAreSharedByOrgAndBucket: what one connection to an org is told holds for the next, for the same requests only.
func TestLimitsAreSharedByOrgAndBucket(t *testing.T) {
	t.Parallel()
	members := func(ctx context.Context, c *okta.Connector) error {
		_, err := c.GroupMembers(ctx, id("00g", 2))
		return err
	}
	groups := func(ctx context.Context, c *okta.Connector) error {
		_, err := c.FindGroups(ctx, "Sales")
		return err
	}
	for name, tc := range map[string]struct {
		first http.HandlerFunc
		then  func(context.Context, *okta.Connector) error
		other bool // the next connection is to another org
		waits time.Duration
	}{
		"refused":                {limited(429, 50), members, false, 50 * time.Second},
		"refused, other bucket":  {limited(429, 50), groups, false, 0},
		"refused, other org":     {limited(429, 50), members, true, 0},
		"few left":               {window(600, 60, 20), members, false, 20 * time.Second},
		"few left, other bucket": {window(600, 60, 20), groups, false, 0},
		"enough left":            {window(600, 61, 20), members, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := connectors.NewLimits()
			share := func(c *okta.Config) { c.Limits = limits }
			s := &script{steps: []http.HandlerFunc{tc.first, one200}}
			one, two := openOn(t, s, share), openOn(t, s, share, func(c *okta.Config) {
				if tc.other {
					c.OrgURL = "http://127.0.0.2:8098"
				}
			})
			synctest.Test(t, func(t *testing.T) {
				var asking sync.WaitGroup
				asking.Go(func() { must(t, members(t.Context(), one)) })
				synctest.Wait()
				began := time.Now()
				must(t, tc.then(t.Context(), two))
				if waited := time.Since(began); waited < tc.waits || waited > tc.waits+time.Second {
					t.Errorf("the second connection waited for %s, want %s", waited, tc.waits)
				}
				asking.Wait()
			})
		})
	}
}
