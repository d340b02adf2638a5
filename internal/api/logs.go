package api

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
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
}

func (a *API) listRequests(ctx context.Context, s scope, in *listRequestsInput) (client.Page[client.Request], error) {
	none := client.Page[client.Request]{}
	l, err := in.list()
	if err != nil {
		return none, err
	}
	l.Search = in.Search
	low, high, err := statusRange(in.Status)
	if err != nil {
		return none, err
	}
	requests, next, err := a.store.Requests(ctx, s.org.ID, low, high, l)
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

func wireRequest(r *roster.Request) client.Request {
	return client.Request{
		ID: r.ID, Time: r.Time, Method: r.Method, Path: r.Path, Status: r.Status, Token: r.TokenName, Client: r.Client,
		UserAgent: r.UserAgent, RequestBody: r.RequestBody, ResponseBody: r.ResponseBody, DurationMS: r.Duration.Milliseconds(),
		Detail: r.Detail, Repeats: r.Repeats,
	}
}
