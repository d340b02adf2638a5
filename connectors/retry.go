package connectors

import (
	"bytes"
	"context"
	"crypto/tls"
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
)

// AttemptTimeout bounds one attempt, answer included. It stands in for http.Client.Timeout, which would also count the
// waits between attempts.
const AttemptTimeout = 60 * time.Second

const (
	maxTries    = 6
	maxWait     = 5 * time.Minute // who is told to wait longer gives up: the answer is passed on
	firstPause  = time.Second
	longestStep = 30 * time.Second
	maxBody     = 64 << 20
)

// Retry is the transport under an IdP's SDK. It sends a request, reads the whole answer, and tries again where that can
// help: throttled, unavailable, or the connection broke (also in the middle of the answer). Every attempt is taken from
// the context's Budget. What comes out of it has a complete body.
type Retry struct {
	Next http.RoundTripper
	Log  *slog.Logger
	IdP  string // its name, for a person to read
	// Wait reads from an answer that may be tried again how long the IdP wants to be left alone; 0 where it doesn't say.
	Wait func(*http.Response) time.Duration
	// Tries500 is how often a request is sent that is answered with a plain 500; 0 is once.
	Tries500 int
	// Tenant is what the requests share with those of other connections; it has to be set.
	Tenant *Tenant
	// Bucket names the requests whose limits the IdP counts together; nil: all of them.
	Bucket func(*http.Request) string
	// Reserve reads from an answer for how long so few requests are left that they are to be others'; nil: that is not said.
	Reserve func(*http.Response) time.Duration
}

// RoundTrip sends the request until an answer is one to pass on, unless the IdP is known not to answer.
func (r *Retry) RoundTrip(req *http.Request) (*http.Response, error) {
	done, err := r.Tenant.breaker.allow(req.Context())
	if err != nil {
		return nil, err
	}
	res, err := r.try(req)
	done(outcomeOf(req.Context(), res, err))
	return res, err
}

func (r *Retry) try(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	req, err := rewindable(req)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		res, err := r.inTurn(req)
		wait, again := r.pause(req, res, err, try)
		if !again {
			return res, err
		}
		status := 0
		if res != nil {
			status = res.StatusCode
		}
		r.Log.InfoContext(ctx, "a request to the identity provider is tried again", slog.String("idp", r.IdP),
			slog.String("path", req.URL.Path), slog.Int("status", status), slog.Int("try", try), slog.Duration("wait", wait))
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// inTurn sends the request once, when the tenant's limits let it.
func (r *Retry) inTurn(req *http.Request) (*http.Response, error) {
	ctx, bucket := req.Context(), ""
	if r.Bucket != nil {
		bucket = r.Bucket(req)
	}
	leave, err := r.Tenant.enter(ctx, bucket)
	if err != nil {
		return nil, err
	}
	defer leave()
	if b := BudgetFrom(ctx); b != nil {
		if err := b.take(callsOf(ctx)); err != nil {
			return nil, err
		}
	}
	sent := time.Now()
	res, err := r.attempt(req)
	if err != nil {
		return nil, err
	}
	var reserve time.Duration
	if r.Reserve != nil {
		reserve = r.Reserve(res)
	}
	r.Tenant.heed(bucket, sent, res.StatusCode, r.Wait(res), reserve)
	return res, nil
}

// attempt sends the request once, and reads the answer to its end within the attempt's time.
func (r *Retry) attempt(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), AttemptTimeout)
	defer cancel()
	out, err := anew(ctx, req)
	if err != nil {
		return nil, err
	}
	res, err := r.Next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, &Error{Fault: Broken, Message: fmt.Sprintf("%s's answer is longer than %d bytes", r.IdP, maxBody)}
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Del("Content-Length")
	return res, nil
}

// pause says whether to try again, and after how long.
func (r *Retry) pause(req *http.Request, res *http.Response, err error, try int) (time.Duration, bool) {
	if !onlyReads(req) || try >= maxTries || req.Context().Err() != nil {
		return 0, false
	}
	wait := backoff(try)
	if err != nil {
		var ours *Error
		var untrusted *tls.CertificateVerificationError
		return wait, !errors.As(err, &ours) && !errors.As(err, &untrusted)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	case http.StatusInternalServerError:
		if try >= r.Tries500 {
			return 0, false
		}
	default:
		return 0, false
	}
	if after := r.Wait(res); after > 0 {
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

// Reserved returns for how long the requests of a window that are left are to be others': when a tenth of its limit is
// left. reset is when the next window begins.
func Reserved(limit, remaining int64, reset time.Duration) time.Duration {
	if limit <= 0 || remaining < 0 || remaining > limit/10 {
		return 0
	}
	return max(0, reset)
}

// RateLimitReserve reads the headers RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset, the last of which counts
// seconds (IETF draft-ietf-httpapi-ratelimit-headers-05, section 5).
func RateLimitReserve(h http.Header) time.Duration {
	number := func(name string) (n int64, said bool) {
		first, _, _ := strings.Cut(h.Get(name), ",") // what follows says how the limit is counted
		n, err := strconv.ParseInt(strings.TrimSpace(first), 10, 32)
		return n, err == nil
	}
	limit, limited := number("RateLimit-Limit")
	left, counted := number("RateLimit-Remaining")
	reset, ends := number("RateLimit-Reset")
	if !limited || !counted || !ends {
		return 0
	}
	return Reserved(limit, left, time.Duration(reset)*time.Second)
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

// RetryAfter reads the header Retry-After as seconds or as a date (RFC 9110 section 10.2.3); 0 where it says nothing. Graph
// sends fractions of a second (Graph documentation, "Microsoft Graph throttling guidance"); they are rounded up.
func RetryAfter(h http.Header) time.Duration {
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

// BaseTransport returns what requests go out by: hc's transport, or a copy of Go's default.
func BaseTransport(hc *http.Client) http.RoundTripper {
	if hc != nil && hc.Transport != nil {
		return hc.Transport
	}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		return t.Clone()
	}
	return http.DefaultTransport
}
