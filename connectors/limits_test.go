package connectors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// idp answers as it is told, and notes when it was asked.
type idp struct {
	mu     sync.Mutex
	answer func(n int, r *http.Request) (status int, header http.Header) // the n-th request, from 1; status 0: no answer
	asked  []time.Time
	now    int
	most   int // at once
	takes  time.Duration
}

func (i *idp) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.asked = append(i.asked, time.Now())
	i.now++
	i.most = max(i.most, i.now)
	status, header := i.answer(len(i.asked), r)
	i.mu.Unlock()
	time.Sleep(i.takes)
	i.mu.Lock()
	i.now--
	i.mu.Unlock()
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	for k, v := range header {
		w.Header()[k] = v
	}
	w.WriteHeader(status)
	_, _ = w.WriteString("{}")
	return w.Result(), nil
}

func (i *idp) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.asked)
}

// up answers everything.
func up(int, *http.Request) (int, http.Header) { return http.StatusOK, nil }

// connection is a connection's transport to the IdP.
func connection(i *idp, limits *connectors.Limits, tenant string) *connectors.Retry {
	return &connectors.Retry{
		Next: i, Log: slog.New(slog.DiscardHandler), IdP: "Graph", Tenant: limits.Tenant(tenant, "Graph"),
		Bucket:  func(r *http.Request) string { return strings.Split(r.URL.Path, "/")[1] },
		Wait:    func(res *http.Response) time.Duration { return connectors.RetryAfter(res.Header) },
		Reserve: func(res *http.Response) time.Duration { return connectors.RateLimitReserve(res.Header) },
	}
}

func ask(ctx context.Context, c *connectors.Retry, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://idp.example"+path, nil)
	if err != nil {
		return 0, err
	}
	res, err := c.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func after(seconds int) http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(seconds)}}
}

// TestALimitHoldsForAllConnectionsOfATenant: while one is told to wait, nobody of that tenant asks for the same.
func TestALimitHoldsForAllConnectionsOfATenant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &idp{answer: func(n int, _ *http.Request) (int, http.Header) {
			if n == 1 {
				return http.StatusTooManyRequests, after(60)
			}
			return http.StatusOK, nil
		}}
		limits, began := connectors.NewLimits(), time.Now()
		one, two := connection(i, limits, "contoso"), connection(i, limits, "contoso")
		var asking sync.WaitGroup
		asking.Go(func() { must(t, one, "/users") })
		synctest.Wait()
		for range 3 {
			asking.Go(func() { must(t, two, "/users") })
		}
		synctest.Wait()
		if n := i.count(); n != 1 {
			t.Errorf("%d requests were sent while the tenant was to be left alone, want 1", n)
		}
		must(t, connection(i, limits, "fabrikam"), "/users")
		must(t, two, "/auditLogs")
		if waited := time.Since(began); waited != 0 {
			t.Errorf("another tenant, and another bucket, waited for %s", waited)
		}
		asking.Wait()
		for _, at := range i.asked[3:] {
			if waited := at.Sub(began); waited < 60*time.Second || waited > 61*time.Second {
				t.Errorf("a request was sent after %s, want a minute", waited)
			}
		}
		if n := i.count(); n != 7 {
			t.Errorf("%d requests in all, want 7", n)
		}
	})
}

func must(t *testing.T, c *connectors.Retry, path string) {
	t.Helper()
	if status, err := ask(t.Context(), c, path); err != nil || status != http.StatusOK {
		t.Errorf("%s = %d, %v", path, status, err)
	}
}

// TestWhoWaitsForAnAnswerIsToldUntilWhen: a read by hand fails at once behind a block, and so does a run behind one that is
// longer than any run waits. Neither sends anything.
func TestWhoWaitsForAnAnswerIsToldUntilWhen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		block  int
		manner func(context.Context) context.Context
		fails  bool
	}{
		"by hand, a minute":       {60, connectors.OnceAsked, true},
		"by hand, a moment":       {10, connectors.OnceAsked, false},
		"a run, a minute":         {60, func(ctx context.Context) context.Context { return ctx }, false},
		"a run, ten minutes":      {600, func(ctx context.Context) context.Context { return ctx }, true},
		"a forced run, long":      {600, forced, false},
		"a forced run, a minute":  {60, forced, false},
		"a deadline before it":    {60, inHalfAMinute, true},
		"a run, a day (an hour)":  {86400, func(ctx context.Context) context.Context { return ctx }, true},
		"a deadline that is late": {20, inHalfAMinute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := &idp{answer: func(n int, _ *http.Request) (int, http.Header) {
					if n == 1 {
						return http.StatusTooManyRequests, after(tc.block)
					}
					return http.StatusOK, nil
				}}
				limits := connectors.NewLimits()
				gone, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if status, err := ask(gone, connection(i, limits, "contoso"), "/users"); err != nil || status != http.StatusTooManyRequests {
					t.Fatalf("the first = %d, %v", status, err)
				}
				time.Sleep(time.Millisecond)
				began := time.Now()
				_, err := ask(tc.manner(t.Context()), connection(i, limits, "contoso"), "/users")
				var e *connectors.Error
				switch {
				case !tc.fails && err != nil:
					t.Errorf("it failed: %v", err)
				case !tc.fails:
				case !errors.As(err, &e) || e.Fault != connectors.Throttled || i.count() != 1 || time.Since(began) != 0:
					t.Errorf("it ended after %s and %d requests with %v", time.Since(began), i.count(), err)
				default:
					until := time.Now().Add(e.RetryAfter)
					if want := min(tc.block, 3600); e.RetryAfter != time.Duration(want)*time.Second ||
						!strings.Contains(e.Message, until.UTC().Format("15:04")) {
						t.Errorf("it says %q and %s", e.Message, e.RetryAfter)
					}
				}
			})
		})
	}
}

func forced(ctx context.Context) context.Context {
	return connectors.WithManner(ctx, connectors.Manner{Since: time.Now()})
}

func inHalfAMinute(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// TestTheLastTenthOfAWindowIsLeftToOthers, but not by who waits for an answer.
func TestTheLastTenthOfAWindowIsLeftToOthers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		limit, remaining, reset string
		waits                   time.Duration
	}{
		"plenty":          {"600", "61", "40", 0},
		"a tenth":         {"600", "60", "40", 40 * time.Second},
		"none":            {"600, 600;w=60", "0", "7", 7 * time.Second},
		"of few":          {"5", "1", "40", 0},
		"an hour":         {"600", "0", "3600", 0}, // no window is that long
		"nonsense":        {"600", "few", "40", 0},
		"said by halves":  {"", "0", "40", 0},
		"the window ends": {"600", "0", "0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := &idp{answer: func(int, *http.Request) (int, http.Header) {
					return http.StatusOK, http.Header{"Ratelimit-Limit": {tc.limit}, "Ratelimit-Remaining": {tc.remaining}, "Ratelimit-Reset": {tc.reset}}
				}}
				limits, began := connectors.NewLimits(), time.Now()
				must(t, connection(i, limits, "contoso"), "/users")
				if _, err := ask(connectors.OnceAsked(t.Context()), connection(i, limits, "contoso"), "/users"); err != nil || time.Since(began) != 0 {
					t.Errorf("a read by hand took %s: %v", time.Since(began), err)
				}
				must(t, connection(i, limits, "contoso"), "/users")
				if waited := time.Since(began); waited < tc.waits || waited > tc.waits+time.Second {
					t.Errorf("a run waited for %s, want %s", waited, tc.waits)
				}
			})
		})
	}
}

// TestFewRequestsAreUnderWayAtOnce over all connections of a tenant.
func TestFewRequestsAreUnderWayAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, limits := &idp{answer: up, takes: time.Second}, connectors.NewLimits()
		var asking sync.WaitGroup
		for n := range 20 {
			c := connection(i, limits, "contoso")
			asking.Go(func() { must(t, c, fmt.Sprintf("/users%d", n%3)) })
		}
		asking.Wait()
		if i.most != 8 {
			t.Errorf("%d requests were under way at once, want 8", i.most)
		}
	})
}

// TestPausesDoubleAndHalfOfEachIsChance.
func TestPausesDoubleAndHalfOfEachIsChance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 20 {
			i := &idp{answer: func(int, *http.Request) (int, http.Header) { return http.StatusBadGateway, nil }}
			if status, err := ask(t.Context(), connection(i, nil, ""), "/users"); err != nil || status != http.StatusBadGateway {
				t.Fatalf("= %d, %v", status, err)
			}
			if len(i.asked) != 6 {
				t.Fatalf("%d tries, want 6", len(i.asked))
			}
			for n := 1; n < len(i.asked); n++ {
				step := min(time.Second<<(n-1), 30*time.Second)
				pause := i.asked[n].Sub(i.asked[n-1])
				if pause < step/2 || pause >= step {
					t.Errorf("pause %d is %s, want %s to %s", n, pause, step/2, step)
				}
				seen[pause] = true
			}
		}
		if len(seen) < 90 {
			t.Errorf("of 100 pauses only %d differ", len(seen))
		}
	})
}

// TestAnIdPThatDoesNotAnswerIsLeftAlone, until a probe is answered.
func TestAnIdPThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := true
		i := &idp{answer: func(int, *http.Request) (int, http.Header) {
			if down {
				return 0, nil
			}
			return http.StatusOK, nil
		}}
		limits, began := connectors.NewLimits(), time.Now()
		c, other := connection(i, limits, "contoso"), connection(i, limits, "contoso")
		for range 5 {
			if _, err := ask(t.Context(), c, "/users"); err == nil {
				t.Fatal("it answered")
			}
		}
		sent := i.count()
		if sent != 30 {
			t.Fatalf("%d tries of 5 requests, want 30", sent)
		}
		refused := func(c *connectors.Retry) {
			t.Helper()
			at := time.Now()
			_, err := ask(t.Context(), c, "/groups")
			var e *connectors.Error
			if !errors.As(err, &e) || e.Fault != connectors.Unreachable || i.count() != sent || !time.Now().Equal(at) ||
				!strings.Contains(e.Message, "Graph has not answered since "+began.UTC().Format("15:04:05")) ||
				!strings.Contains(e.Message, "the next try is at "+at.Add(e.RetryAfter).UTC().Format("15:04:05")) {
				t.Errorf("after %d requests: %v", i.count(), err)
			}
		}
		refused(c)
		refused(other)
		must(t, connection(&idp{answer: up}, limits, "fabrikam"), "/users")

		time.Sleep(31 * time.Second) // the probe fails as well
		if _, err := ask(t.Context(), c, "/users"); err == nil || i.count() != sent+6 {
			t.Fatalf("the probe: %v after %d requests", err, i.count()-sent)
		}
		sent = i.count()
		refused(other)

		down = false
		time.Sleep(31 * time.Second)
		must(t, other, "/users")
		must(t, c, "/users")
	})
}

// TestAForcedRunTriesAtOnce: that the IdP did not answer before it was asked for keeps nothing back, and its answer is
// everybody's.
func TestAForcedRunTriesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := true
		i := &idp{answer: func(int, *http.Request) (int, http.Header) {
			if down {
				return http.StatusServiceUnavailable, nil
			}
			return http.StatusOK, nil
		}}
		c := connection(i, connectors.NewLimits(), "contoso")
		for range 5 {
			if status, err := ask(t.Context(), c, "/users"); err != nil || status != http.StatusServiceUnavailable {
				t.Fatalf("= %d, %v", status, err)
			}
		}
		time.Sleep(time.Second)
		run := forced(t.Context())
		if status, err := ask(run, c, "/users"); err != nil || status != http.StatusServiceUnavailable {
			t.Fatalf("the forced run's first = %d, %v, want that it was sent", status, err)
		}
		sent := i.count()
		if _, err := ask(run, c, "/users"); connectors.FaultOf(err) != connectors.Unreachable || i.count() != sent {
			t.Errorf("the forced run's second: %v, want that what it found out itself counts", err)
		}
		down = false
		time.Sleep(time.Second)
		if status, err := ask(forced(t.Context()), c, "/users"); err != nil || status != http.StatusOK {
			t.Errorf("the next forced run = %d, %v", status, err)
		}
		must(t, c, "/users")
	})
}

// TestRefusalsAndLimitsAreAnswers: they open no circuit.
func TestRefusalsAndLimitsAreAnswers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest} {
		synctest.Test(t, func(t *testing.T) {
			i := &idp{answer: func(int, *http.Request) (int, http.Header) { return status, nil }}
			c := connection(i, nil, "")
			for range 10 {
				if got, err := ask(t.Context(), c, "/users"); err != nil || got != status {
					t.Fatalf("%d: = %d, %v", status, got, err)
				}
			}
		})
	}
}

// TestALongListGoesOnFromThePageThatFailed, and a short one, or one that fails again and again, says how far it came.
func TestALongListGoesOnFromThePageThatFailed(t *testing.T) {
	t.Parallel()
	throttled := &connectors.Error{Fault: connectors.Throttled, Message: "Graph throttles", RetryAfter: 40 * time.Second}
	away := &connectors.Error{Fault: connectors.Unreachable, Status: 503, Message: "Graph is away"}
	broken := &connectors.Error{Fault: connectors.Unreachable, Status: 500, Message: "Graph broke"}
	for name, tc := range map[string]struct {
		at, times int // the page that fails, and how often
		err       *connectors.Error
		says      string // "": the list is read whole
		waits     time.Duration
	}{
		"throttled":             {52, 1, throttled, "", 40 * time.Second},
		"away, twice":           {52, 2, away, "", 90 * time.Second},
		"away for good":         {52, 99, away, "after 52 pages, 104 objects: Graph is away", 210 * time.Second},
		"a page that is broken": {52, 99, broken, "after 52 pages, 104 objects: Graph broke", 0},
		"soon":                  {1, 99, throttled, "after 1 page, 2 objects: Graph throttles", 0},
		"at once":               {0, 99, throttled, "Graph throttles", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var got []int
				failed, began := 0, time.Now()
				read := func(_ context.Context, link string) (connectors.Page[int], error) {
					n, _ := strconv.Atoi(link)
					if n == tc.at && failed < tc.times {
						failed++
						return connectors.Page[int]{}, tc.err
					}
					p := connectors.Page[int]{Items: []int{2 * n, 2*n + 1}, Next: strconv.Itoa(n + 1)}
					if n == 59 {
						p.Next = ""
					}
					return p, nil
				}
				err := connectors.Walk(t.Context(), connectors.Unstamped, read, func(_ connectors.Stamp, items []int) error {
					got = append(got, items...)
					return nil
				})
				if waited := time.Since(began); waited < tc.waits || waited > tc.waits+2*time.Second {
					t.Errorf("it waited for %s, want %s", waited, tc.waits)
				}
				if tc.says == "" {
					if err != nil || len(got) != 120 || !slices.IsSorted(got) {
						t.Errorf("%d objects: %v", len(got), err)
					}
					return
				}
				if err == nil || err.Error() != tc.says || !errors.Is(err, tc.err) {
					t.Errorf("it says %v, want %s", err, tc.says)
				}
			})
		})
	}
}
