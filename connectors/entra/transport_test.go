package entra_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
)

// script answers with one step after the other, the last one for ever; a nil step is a connection that breaks.
type script struct {
	steps []http.HandlerFunc
	times []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.times = append(s.times, time.Now())
	step := s.steps[min(len(s.times), len(s.steps))-1]
	if step == nil {
		return nil, errors.New("connection reset by peer")
	}
	w := httptest.NewRecorder()
	step(w, r)
	return w.Result(), nil
}

func throttled(status int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		reply(status, `{"error":{"code":"TooManyRequests","message":"Too many requests"}}`)(w, r)
	}
}

// TestRetry plays answers to one request in the clock's own time, and looks at how long was waited before the second
// attempt.
func TestRetry(t *testing.T) {
	t.Parallel()
	empty := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	for name, tc := range map[string]struct {
		steps    []http.HandlerFunc
		tries    int
		min, max time.Duration
		fault    connectors.Fault
	}{
		"fine":                     {[]http.HandlerFunc{page()}, 1, 0, 0, ""},
		"throttled once":           {[]http.HandlerFunc{throttled(429, "7"), page()}, 2, 7 * time.Second, 8 * time.Second, ""},
		"a fraction is rounded up": {[]http.HandlerFunc{throttled(429, "2.128"), page()}, 2, 3 * time.Second, 4 * time.Second, ""},
		"unavailable":              {[]http.HandlerFunc{throttled(503, "4"), page()}, 2, 4 * time.Second, 5 * time.Second, ""},
		"gateway's timeout":        {[]http.HandlerFunc{throttled(504, ""), page()}, 2, 500 * time.Millisecond, time.Second, ""},
		"no busy loop":             {[]http.HandlerFunc{throttled(429, "0"), page()}, 2, 500 * time.Millisecond, time.Second, ""},
		"nonsense in the header":   {[]http.HandlerFunc{throttled(429, "soon"), page()}, 2, 500 * time.Millisecond, time.Second, ""},
		"not a number":             {[]http.HandlerFunc{throttled(429, "NaN"), page()}, 2, 500 * time.Millisecond, time.Second, ""},
		"the connection broke":     {[]http.HandlerFunc{nil, page()}, 2, 500 * time.Millisecond, time.Second, ""},
		"throttled for ever":       {[]http.HandlerFunc{throttled(429, "1")}, 6, time.Second, 2 * time.Second, connectors.Throttled},
		"out of reach for ever":    {[]http.HandlerFunc{nil}, 6, 500 * time.Millisecond, time.Second, connectors.Unreachable},
		"told to wait too long":    {[]http.HandlerFunc{throttled(429, "3600")}, 1, 0, 0, connectors.Throttled},
		"told to wait for ever":    {[]http.HandlerFunc{throttled(429, "Inf")}, 1, 0, 0, connectors.Throttled},
		"an error that stays one":  {[]http.HandlerFunc{reply(500, ``)}, 1, 0, 0, connectors.Unreachable},
		"an answer without body":   {[]http.HandlerFunc{empty}, 1, 0, 0, connectors.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, budget := &script{steps: tc.steps}, connectors.NewBudget(100)
				err := openOn(t, s).Pull(connectors.WithBudget(t.Context(), budget), &connectortest.Recorder{})
				if connectors.FaultOf(err) != tc.fault || tc.fault == "" && err != nil {
					t.Errorf("Pull = %v, want %q", err, tc.fault)
				}
				if len(s.times) != tc.tries || budget.Spent() != tc.tries {
					t.Fatalf("%d tries, %d counted, want %d", len(s.times), budget.Spent(), tc.tries)
				}
				if tc.tries < 2 {
					return
				}
				if waited := s.times[1].Sub(s.times[0]); waited < tc.min || waited > tc.max {
					t.Errorf("waited for %s, want %s to %s", waited, tc.min, tc.max)
				}
			})
		})
	}
}

func TestRetryAfterDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", "Mon, 02 Nov 2026 10:00:00 GMT") // not our clock's
			throttled(429, "Mon, 02 Nov 2026 10:00:09 GMT")(w, r)
		}, page()}}
		must(t, openOn(t, s).Pull(t.Context(), &connectortest.Recorder{}))
		if waited := s.times[1].Sub(s.times[0]); waited < 9*time.Second || waited > 10*time.Second {
			t.Errorf("waited for %s, want 9s", waited)
		}
	})
}

// TestRetryAfterIsTold: what is given up on says how long Graph wanted to be left alone.
func TestRetryAfterIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s := &script{steps: []http.HandlerFunc{throttled(429, "20")}}
		_, err := openOn(t, s).Person(ctx, id(1))
		var e *connectors.Error
		if !errors.As(err, &e) || e.RetryAfter != 20*time.Second || len(s.times) != 1 {
			t.Errorf("Person = %+v after %d tries", err, len(s.times))
		}
	})
}

// TestWaitIsCancelled: the end of the context ends a wait at once.
func TestWaitIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(3*time.Second, cancel)
		err := openOn(t, &script{steps: []http.HandlerFunc{throttled(429, "60")}}).Pull(ctx, &connectortest.Recorder{})
		if !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second {
			t.Errorf("Pull = %v after %s", err, time.Since(began))
		}
	})
}

// TestAttemptTimeout: a server that does not answer costs a minute for each try, and is out of reach in the end.
func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		hang := transportFunc(func(r *http.Request) (*http.Response, error) {
			tries++
			if tries%2 == 0 { // half of them stop in the middle of the answer
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: &stalled{r.Context()}}, nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		err := openOn(t, hang).Pull(t.Context(), &connectortest.Recorder{})
		if connectors.FaultOf(err) != connectors.Unreachable || tries != 6 {
			t.Errorf("Pull = %v after %d tries", err, tries)
		}
	})
}

// stalled is a body that never comes.
type stalled struct{ ctx context.Context }

func (s *stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (s *stalled) Close() error { return nil }

// TestCutOffAnswer: an answer whose end is missing is asked for again.
func TestCutOffAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		cut := transportFunc(func(r *http.Request) (*http.Response, error) {
			tries++
			w := httptest.NewRecorder()
			page()(w, r)
			res := w.Result()
			if tries == 1 {
				res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"val`), failing{}))
			}
			return res, nil
		})
		if err := openOn(t, cut).Pull(t.Context(), &connectortest.Recorder{}); err != nil || tries != 2 {
			t.Errorf("Pull = %v after %d tries", err, tries)
		}
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
