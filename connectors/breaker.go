package connectors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// breakAfter is how many requests in a row find an IdP out of reach, each with all its tries, before no more are sent.
	// It is above giveUpAfter: one pull alone ends before.
	breakAfter = 5
	// coolDown is how long nothing is sent then. The next request is a probe.
	coolDown = 30 * time.Second
)

var (
	errDown  = errors.New("the identity provider did not answer")
	errOther = errors.New("nothing was learnt of the identity provider")
)

// breaker keeps requests from a tenant that does not answer: else every one of them would wait for all its tries.
type breaker struct {
	idp string

	mu      sync.Mutex
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
	failing time.Time // the first of the failures in a row
	tried   time.Time // when the circuit opened, or a person's request failed after that
	next    time.Time // when the next probe may go out
}

func newBreaker(idp string) *breaker {
	b := &breaker{idp: idp}
	b.circuit = b.closed()
	return b
}

// closed returns a circuit that lets requests through.
func (b *breaker) closed() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: b.idp, MaxRequests: 1, Timeout: coolDown,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
		IsExcluded:  func(err error) bool { return errors.Is(err, errOther) },
	})
}

// allow returns what to call with how the request went, or why it is not sent.
func (b *breaker) allow(ctx context.Context) (done func(error), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	circuit, began := b.circuit, time.Now()
	report, err := circuit.Allow()
	switch {
	case err == nil:
		return func(outcome error) { b.learn(circuit, report, began, outcome) }, nil
	case MannerOf(ctx).Since.After(b.tried):
		return func(outcome error) { b.learn(circuit, nil, began, outcome) }, nil
	}
	return nil, b.refusal()
}

// learn takes in how a request went. One that a person sent past an open circuit closes it if it is answered.
func (b *breaker) learn(circuit *gobreaker.TwoStepCircuitBreaker[struct{}], report func(error), began time.Time, outcome error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if report != nil {
		report(outcome)
	}
	switch {
	case errors.Is(outcome, errOther):
	case outcome == nil:
		b.failing = time.Time{}
		if report == nil && b.circuit == circuit {
			b.circuit = b.closed()
		}
	default:
		if b.failing.IsZero() {
			b.failing = began
		}
		if now := time.Now(); report == nil {
			b.tried = now
		} else if b.circuit.State() == gobreaker.StateOpen {
			b.tried, b.next = now, now.Add(coolDown)
		}
	}
}

func (b *breaker) refusal() error {
	clock := func(t time.Time) string { return t.UTC().Format("15:04:05 MST") }
	when := "the next try is at " + clock(b.next)
	if !b.next.After(time.Now()) {
		when = "the next try is under way"
	}
	return &Error{
		Fault: Unreachable, RetryAfter: max(0, wholeSeconds(time.Until(b.next))),
		Message: fmt.Sprintf("%s has not answered since %s; %s", b.idp, clock(b.failing), when),
		Fix:     "Nothing is sent to it until then. A run that is asked for by hand tries at once.",
	}
}

// outcomeOf says what a request, with all its tries, tells of the IdP: nil where it answered. A limit is an answer.
func outcomeOf(ctx context.Context, res *http.Response, err error) error {
	var ours *Error
	switch {
	case ctx.Err() != nil, errors.As(err, &ours):
		return errOther
	case err != nil:
		return errDown
	case res.StatusCode >= http.StatusInternalServerError:
		return errDown
	}
	return nil
}
