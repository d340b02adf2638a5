package api

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

type listEventsInput struct {
	InOrg
	InPage
	InSearch
}

func (a *API) listEvents(ctx context.Context, s scope, in *listEventsInput) (client.Page[client.Event], error) {
	none := client.Page[client.Event]{}
	l, err := in.list()
	if err != nil {
		return none, err
	}
	l.Search = in.Search
	events, next, err := a.store.Events(ctx, s.org.ID, l)
	return mapped(events, next, wireEvent), err
}

func wireEvent(e *roster.Event) client.Event {
	out := client.Event{
		Time: e.Time, Type: e.Type, Actor: client.Actor{Type: string(e.Actor.Kind), ID: e.Actor.ID, Name: e.Actor.Name},
		Subject: wireSubject(e.Subject), Before: orNull(e.Before), After: orNull(e.After), Reason: e.Reason,
		Run: optional(e.RunID), Request: optional(e.RequestID),
	}
	if e.Number > 0 {
		out.Number = &e.Number
	}
	return out
}

func orNull(doc json.RawMessage) json.RawMessage {
	if len(doc) == 0 {
		return json.RawMessage("null")
	}
	return doc
}

type listRequestsInput struct {
	InOrg
	InPage
	InSearch
	Status string `query:"status" doc:"an HTTP status such as 409, or a class of them such as 4xx"`
	Token  string `query:"token" doc:"only with this token: name or id"`
	Method string `query:"method" doc:"only with this HTTP method"`
	Path   string `query:"path" doc:"only what begins so behind the SCIM base URL, such as /Users"`
	Quirk  string `query:"quirk" doc:"only where this was tolerated, or a part of it, such as capitalised"`
	Since  string `query:"since" doc:"only since a time (RFC 3339), or since so long ago, such as 1h or 7d"`
}

func (a *API) listRequests(ctx context.Context, s scope, in *listRequestsInput) (client.Page[client.Request], error) {
	none := client.Page[client.Request]{}
	l, err := in.list()
	if err != nil {
		return none, err
	}
	l.Search = in.Search
	f := store.RequestFilter{
		Token: in.Token, Method: in.Method, Path: in.Path, Quirk: in.Quirk, Bases: []string{scimPath, strings.TrimPrefix(scimPath, "/service/v1")},
	}
	if f.Low, f.High, err = statusRange(in.Status); err != nil {
		return none, err
	}
	if f.Since, err = a.since(in.Since); err != nil {
		return none, err
	}
	requests, next, err := a.store.Requests(ctx, s.org.ID, f, l)
	return mapped(requests, next, wireRequest), err
}

var statusForm = regexp.MustCompile(`^[1-5]([0-9]{2}|xx)$`)

// statusRange reads a filter for HTTP statuses: the least and the greatest that pass.
func statusRange(given string) (low, high int, err error) {
	switch {
	case given == "":
		return 0, 999, nil
	case !statusForm.MatchString(given):
		return 0, 0, roster.Errorf(roster.Invalid, "status: %q is neither an HTTP status, such as 409, nor a class of them, such as 4xx", given)
	case given[1:] == "xx":
		low = int(given[0]-'0') * 100
		return low, low + 99, nil
	}
	low, err = strconv.Atoi(given)
	return low, low, err
}

// since reads the beginning of a span of time; the zero time is all of it.
func (a *API) since(given string) (time.Time, error) {
	if given == "" {
		return time.Time{}, nil
	}
	if ago, ok := span(given); ok {
		return a.now().Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, given)
	if err != nil {
		return time.Time{}, roster.Errorf(roster.Invalid,
			"since: %q is neither a time, such as 2026-01-31T08:00:00Z, nor a number and m, h, d or w, such as 1h", given)
	}
	return t, nil
}

func wireRequest(r *roster.Request) client.Request {
	return client.Request{
		ID: r.ID, Time: r.Time, Method: r.Method, Path: r.Path, Status: r.Status, Token: r.TokenName, Client: r.Client,
		UserAgent: r.UserAgent, RequestBody: r.RequestBody, ResponseBody: r.ResponseBody, DurationMS: r.Duration.Milliseconds(),
		Detail: r.Detail, Quirk: r.Quirk, Repeats: r.Repeats,
	}
}
