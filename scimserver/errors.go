package scimserver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// retryAfter is how many seconds a client is asked to wait when the service can't work just now.
const retryAfter = "5"

// explain turns any failure into what the client is told (RFC 7644, section 3.12) and, beside it, what the operator
// alone is told in the request log. ok is false for a failure that is ours: its cause is for the log only.
func explain(err error) (told *scim.Error, detail string, ok bool) {
	if e, is := errors.AsType[*scim.Error](err); is {
		return e, "", true
	}
	e, is := errors.AsType[*roster.Error](err)
	if !is {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return scim.NewError(http.StatusServiceUnavailable, "the request was broken off before it was done: try again"), err.Error(), true
		}
		return nil, "", false
	}
	switch e.Code {
	case roster.Invalid:
		return scim.InvalidValue("%s", e.Message), e.Detail, true
	case roster.Conflict:
		return scim.Uniqueness("%s", e.Message), e.Detail, true
	case roster.NotFound:
		return scim.NewError(http.StatusNotFound, "%s", e.Message), e.Detail, true
	case roster.Forbidden:
		return scim.NewError(http.StatusForbidden, "%s", e.Message), e.Detail, true
	case roster.Unauthorized:
		return scim.NewError(http.StatusUnauthorized, "%s", e.Message), e.Detail, true
	case roster.TooLarge:
		return scim.NewError(http.StatusRequestEntityTooLarge, "%s", e.Message), e.Detail, true
	case roster.Unavailable:
		return scim.NewError(http.StatusServiceUnavailable, "%s", e.Message), e.Detail, true
	case roster.Precondition:
		return scim.NewError(http.StatusPreconditionFailed, "the resource has changed: If-Match is not its current version"), e.Message, true
	case roster.Fenced, roster.Internal:
	}
	return nil, "", false
}

// fail answers a request that could not be done.
func (x *exchange) fail(err error) {
	if d, is := errors.AsType[*denied](err); is {
		x.refuse(d)
		return
	}
	told, detail := x.tell(err)
	x.sendError(told, detail, "")
}

// tell is explain for any failure: one that is ours is logged, and told without its cause.
func (x *exchange) tell(err error) (told *scim.Error, detail string) {
	told, detail, ok := explain(err)
	if !ok {
		x.s.log.LogAttrs(x.r.Context(), slog.LevelError, "SCIM request failed",
			slog.String("request_id", x.id), slog.String("method", x.r.Method), slog.String("path", web.LoggedPath(x.r.URL)),
			slog.Any("error", err))
		return internalError(x.id), err.Error()
	}
	return told, detail
}

func internalError(request string) *scim.Error {
	return scim.NewError(http.StatusInternalServerError, "internal error; the server's log has more under request %s", request)
}

// sendError writes an error body, and before it the request log's row if the organisation is known.
func (x *exchange) sendError(e *scim.Error, detail, repeatKey string) {
	body, err := json.Marshal(e)
	if err != nil { // two strings and a number encode
		body = []byte("{}")
	}
	a := answer{status: e.Status, body: body}
	if x.org.ID != "" {
		x.logFailure(a, detail, repeatKey)
	}
	x.w.Header().Del("ETag") // of an answer that came to nothing
	if e.Status == http.StatusServiceUnavailable {
		x.w.Header().Set("Retry-After", retryAfter)
	}
	x.send(a)
}
