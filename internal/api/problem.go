package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/web"
)

const problemType = "application/problem+json"

// statusOf gives each code its HTTP status; a code that isn't here is internal.
var statusOf = map[roster.Code]int{
	roster.Invalid:      http.StatusBadRequest,
	roster.Unauthorized: http.StatusUnauthorized,
	roster.Forbidden:    http.StatusForbidden,
	roster.NotFound:     http.StatusNotFound,
	roster.Conflict:     http.StatusConflict,
	roster.Fenced:       http.StatusConflict,
	roster.Precondition: http.StatusPreconditionFailed,
	roster.TooLarge:     http.StatusRequestEntityTooLarge,
	roster.Unavailable:  http.StatusServiceUnavailable,
}

// problem is an error on its way out through huma, or past it.
type problem struct{ client.Problem }

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// GetStatus is huma's question for the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType is huma's question for the media type.
func (p *problem) ContentType(string) string { return problemType }

func newProblem(status int, code roster.Code, detail string) *problem {
	return &problem{client.Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: string(code)}}
}

// problem maps an error. What carries no code is internal: it is logged here, once, and its text stays inside.
func (a *API) problem(ctx context.Context, err error) error {
	var e *roster.Error
	if errors.As(err, &e) {
		if status, known := statusOf[e.Code]; known {
			return newProblem(status, e.Code, e.Message)
		}
	}
	if ctx.Err() != nil { // nobody waits for the answer, and nothing is wrong here
		return newProblem(http.StatusServiceUnavailable, roster.Unavailable, "the request was given up")
	}
	a.log.ErrorContext(ctx, "management API: internal error", "error", err, "request_id", web.RequestIDOf(ctx))
	return internalProblem(ctx)
}

func internalProblem(ctx context.Context) *problem {
	return newProblem(http.StatusInternalServerError, roster.Internal,
		"something went wrong inside; the daemon's log says more at request "+web.RequestIDOf(ctx))
}

// panicked answers a request whose handler panicked.
func panicked(w http.ResponseWriter, r *http.Request) { internalProblem(r.Context()).write(w) }

// write answers a request that doesn't reach huma.
func (p *problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = encode(w, p)
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	if errors.As(a.problem(r.Context(), err), &p) {
		p.write(w)
	}
}

func problemSchema(registry huma.Registry) *huma.Schema {
	return registry.Schema(reflect.TypeFor[client.Problem](), true, "Problem")
}

type humaContext = huma.Context

// lenient is a request whose failed validation is answered by 400, as every other bad request is.
type lenient struct{ humaContext }

// SetStatus sets the answer's status.
func (c lenient) SetStatus(status int) { c.humaContext.SetStatus(asBadRequest(status)) }

func badRequests(ctx huma.Context, next func(huma.Context)) { next(lenient{ctx}) }

func asBadRequest(status int) int {
	if status == http.StatusUnprocessableEntity {
		return http.StatusBadRequest
	}
	return status
}

// asProblem turns huma's own errors, all about bad requests, into problems. What was sent is not echoed.
func asProblem(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	details := make([]string, 0, len(model.Errors))
	for _, e := range model.Errors {
		text := e.Message
		if e.Location != "" {
			text = fmt.Sprintf("%s: %s", e.Location, e.Message)
		}
		details = append(details, text)
	}
	if len(details) == 0 {
		details = append(details, model.Detail)
	}
	code := roster.Invalid
	switch {
	case model.Status == http.StatusRequestEntityTooLarge:
		code = roster.TooLarge
	case model.Status >= http.StatusInternalServerError:
		code, details = roster.Internal, []string{"something went wrong inside"}
	}
	return newProblem(asBadRequest(model.Status), code, strings.Join(details, "; ")), nil
}
