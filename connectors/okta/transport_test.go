package okta_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
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
	err   error
	times []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.times = append(s.times, time.Now())
	step := s.steps[min(len(s.times), len(s.steps))-1]
	if step == nil {
		return nil, s.err
	}
	w := httptest.NewRecorder()
	step(w, r)
	return w.Result(), nil
}

// limited is a refusal whose limit ends so many seconds after its own date, which is not our clock's.
func limited(status, seconds int) http.HandlerFunc {
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(now.Unix()+int64(seconds), 10))
		refuse(status, "E0000047", "API call exceeded rate limit due to too many requests.")(w, r)
	}
}

func reset(value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Rate-Limit-Reset", value)
		refuse(http.StatusTooManyRequests, "E0000047", "too many")(w, r)
	}
}

// TestRetry plays answers to one request in the clock's own time, and looks at how long was waited before the second
// attempt. The connector is opened outside of that time, as the SDK starts a goroutine that never ends.
func TestRetry(t *testing.T) {
	t.Parallel()
	bare := refuse(http.StatusTooManyRequests, "", "")
	broke, eof := errors.New("connection reset by peer"), fmt.Errorf("read: %w", io.EOF)
	for name, tc := range map[string]struct {
		steps    []http.HandlerFunc
		err      error
		tries    int
		min, max time.Duration
		fault    connectors.Fault
	}{
		"fine":                          {[]http.HandlerFunc{one200}, nil, 1, 0, 0, ""},
		"limited once":                  {[]http.HandlerFunc{limited(429, 50), one200}, nil, 2, 50 * time.Second, 51 * time.Second, ""},
		"limited without the headers":   {[]http.HandlerFunc{bare, one200}, nil, 2, 500 * time.Millisecond, time.Second, ""},
		"limited for ever without them": {[]http.HandlerFunc{bare}, nil, 6, 500 * time.Millisecond, time.Second, connectors.Throttled},
		"limited for ever":              {[]http.HandlerFunc{limited(429, 2)}, nil, 6, 2 * time.Second, 3 * time.Second, connectors.Throttled},
		"limited for an hour":           {[]http.HandlerFunc{limited(429, 3600)}, nil, 1, 0, 0, connectors.Throttled},
		"the limit is over":             {[]http.HandlerFunc{limited(429, -5), one200}, nil, 2, 500 * time.Millisecond, time.Second, ""},
		"nonsense in the header":        {[]http.HandlerFunc{reset("soon"), one200}, nil, 2, 500 * time.Millisecond, time.Second, ""},
		"milliseconds in the header":    {[]http.HandlerFunc{reset("99999999999999999"), one200}, nil, 2, 500 * time.Millisecond, time.Second, ""},
		"unavailable":                   {[]http.HandlerFunc{limited(503, 50), one200}, nil, 2, 500 * time.Millisecond, time.Second, ""},
		"a 500 that passes":             {[]http.HandlerFunc{limited(500, 50), one200}, nil, 2, 500 * time.Millisecond, time.Second, ""},
		"a 500 that stays":              {[]http.HandlerFunc{limited(500, 50)}, nil, 2, 500 * time.Millisecond, time.Second, connectors.Unreachable},
		"the connection broke":          {[]http.HandlerFunc{nil, one200}, broke, 2, 500 * time.Millisecond, time.Second, ""},
		"out of reach for ever":         {[]http.HandlerFunc{nil}, broke, 6, 500 * time.Millisecond, time.Second, connectors.Unreachable},
		"closed for ever":               {[]http.HandlerFunc{nil}, eof, 6, 500 * time.Millisecond, time.Second, connectors.Unreachable},
		"an answer without body":        {[]http.HandlerFunc{reply(200, "")}, nil, 1, 0, 0, connectors.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, budget := &script{steps: tc.steps, err: tc.err}, connectors.NewBudget(100)
			c := openOn(t, s)
			synctest.Test(t, func(t *testing.T) {
				_, err := c.GroupMembers(connectors.WithBudget(t.Context(), budget), id("00g", 1))
				if connectors.FaultOf(err) != tc.fault || tc.fault == "" && err != nil {
					t.Errorf("GroupMembers = %v, want %q", err, tc.fault)
				}
			})
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
	}
}

func one200(w http.ResponseWriter, r *http.Request) { list()(w, r) }

// TestLimitIsTold: what is given up on says how long Okta wanted to be left alone.
func TestLimitIsTold(t *testing.T) {
	t.Parallel()
	c := openOn(t, &script{steps: []http.HandlerFunc{limited(429, 3600)}})
	err := c.Pull(t.Context(), &connectortest.Recorder{})
	var e *connectors.Error
	if !errors.As(err, &e) || e.RetryAfter != time.Hour || e.Status != 429 {
		t.Errorf("Pull = %+v", err)
	}
}

// TestGate: nothing goes to another place, nor by a redirect.
func TestGate(t *testing.T) {
	t.Parallel()
	hosts := map[string]bool{}
	c := openOn(t, transportFunc(func(r *http.Request) (*http.Response, error) {
		hosts[r.URL.Host] = true
		w := httptest.NewRecorder()
		http.Redirect(w, r, "http://127.0.0.1:9999/api/v1"+appUsers, http.StatusTemporaryRedirect)
		return w.Result(), nil
	}))
	if err := c.Pull(t.Context(), &connectortest.Recorder{}); connectors.FaultOf(err) != connectors.Broken || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("Pull = %v", err)
	}
	if len(hosts) != 1 || !hosts["127.0.0.1:8098"] {
		t.Errorf("requests went to %v", hosts)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
