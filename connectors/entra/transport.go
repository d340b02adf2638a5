package entra

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

const (
	maxTries    = 6
	maxWait     = 5 * time.Minute // a longer Retry-After ends the request as throttled
	firstPause  = time.Second
	longestStep = 30 * time.Second
	maxBody     = 64 << 20
)

// gate lets a request out only to the configured origin and only with a bearer token. The SDK sends a request to a host
// off its list without Authorization, and does not call that an error.
type gate struct {
	origin origin
	next   http.RoundTripper
}

// RoundTrip passes the request on, or refuses it.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.origin.holds(req.URL) {
		return nil, &connectors.Error{
			Fault:   connectors.Broken,
			Message: fmt.Sprintf("A request to %s was not sent: it is not the configured Graph", req.URL.Host),
		}
	}
	if token, found := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); !found || token == "" {
		return nil, &connectors.Error{
			Fault:   connectors.BadCredentials,
			Message: "A request to Graph was not sent: there is no token for it",
			Fix:     checkCredentials,
		}
	}
	return g.next.RoundTrip(req)
}

// retrier sends a request, reads the whole answer, and tries again where that can help: throttled, unavailable, or the
// connection broke (also in the middle of the answer). Every attempt is taken from the context's budget. What comes out
// of it has a complete body, and an OData one if it is an error.
type retrier struct {
	next http.RoundTripper
	log  *slog.Logger
}

// RoundTrip sends the request up to maxTries times.
func (r *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	for try := 1; ; try++ {
		if b := connectors.BudgetFrom(ctx); b != nil {
			if err := b.Spend(); err != nil {
				return nil, err
			}
		}
		res, err := r.attempt(req)
		wait, again := pause(req, res, err, try)
		if !again {
			return res, err
		}
		status := 0
		if res != nil {
			status = res.StatusCode
		}
		r.log.InfoContext(ctx, "graph request is tried again",
			slog.String("path", req.URL.Path), slog.Int("status", status), slog.Int("try", try), slog.Duration("wait", wait))
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// attempt sends the request once, and reads the answer to its end within the attempt's time.
func (r *retrier) attempt(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), attemptTimeout)
	defer cancel()
	res, err := r.next.RoundTrip(req.Clone(ctx))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, &connectors.Error{Fault: connectors.Broken, Message: fmt.Sprintf("Graph's answer is longer than %d bytes", maxBody)}
	}
	if res.StatusCode >= 400 {
		body = odataError(res.StatusCode, body)
		res.Header.Set("Content-Type", "application/json")
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Del("Content-Length")
	return res, nil
}

// odataError returns an error body of the documented form (Graph documentation, "Microsoft Graph error responses and
// resource types"). Without an error member the SDK's error would panic when it is printed, which the SDK does itself
// for tracing; and a body that is not JSON would hide the status.
func odataError(status int, body []byte) []byte {
	var got struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &got) != nil || got.Error.Message == "" {
		got.Error.Message = http.StatusText(status)
	}
	clean, err := json.Marshal(got)
	if err != nil {
		return []byte(`{"error":{"code":"","message":""}}`)
	}
	return clean
}

// pause says whether to try again, and after how long.
func pause(req *http.Request, res *http.Response, err error, try int) (time.Duration, bool) {
	if req.Method != http.MethodGet || try >= maxTries || req.Context().Err() != nil {
		return 0, false
	}
	wait := backoff(try)
	if err != nil {
		var ours *connectors.Error
		var untrusted *tls.CertificateVerificationError
		return wait, !errors.As(err, &ours) && !errors.As(err, &untrusted)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	if after := retryAfter(res.Header); after > 0 {
		wait = after + rand.N(500*time.Millisecond)
	}
	if wait > maxWait+time.Second {
		return 0, false
	}
	deadline, limited := req.Context().Deadline()
	return wait, !limited || time.Until(deadline) > wait
}

// backoff doubles with each try; half of it is chance.
func backoff(try int) time.Duration {
	step := min(firstPause<<(try-1), longestStep)
	return step/2 + rand.N(step/2)
}

// retryAfter reads the header as seconds or as a date. Graph sends fractions of a second (Graph documentation,
// "Microsoft Graph throttling guidance"); they are rounded up.
func retryAfter(h http.Header) time.Duration {
	raw := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(raw, 64); err == nil {
		if math.IsNaN(seconds) {
			return 0
		}
		return wholeSeconds(time.Duration(max(0, min(seconds, 1e6)) * float64(time.Second)))
	}
	at, err := http.ParseTime(raw)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(0, wholeSeconds(at.Sub(now)))
}

func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
