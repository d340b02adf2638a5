package idpsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// batch answers POST /$batch (page "Combine multiple HTTP requests using JSON batching"): up to 20 requests, each with
// its own status. The outer request needs the token as well; items inherit it. Faults that end a connection or a body
// strike the whole answer where they strike an item.
func (t *Tenant) batch(r *request) (reply, []Fault) {
	t.counts.add("POST /$batch")
	if rep := t.authenticate(r.header.Get("Authorization")); rep != nil {
		return *rep, nil
	}
	r.outer = true
	struck := t.faults.strikes(r)
	for _, f := range struck {
		f.pause(r.gone)
	}
	if rep := t.struckDown(r, struck); rep != nil {
		return *rep, struck
	}
	rep, inner := t.batched(r)
	return rep, append(struck, inner...)
}

// batched answers the items.
func (t *Tenant) batched(r *request) (reply, []Fault) {
	var struck []Fault
	var in struct {
		Requests []struct {
			ID      string            `json:"id"`
			Method  string            `json:"method"`
			URL     string            `json:"url"`
			Headers map[string]string `json:"headers"`
			Body    json.RawMessage   `json:"body"`
		} `json:"requests"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil || len(in.Requests) == 0 {
		return fail(http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload."), nil
	}
	if len(in.Requests) > 20 {
		return fail(http.StatusBadRequest, "BadRequest", "Number of batch request steps exceeds the maximum value of 20."), nil
	}
	responses := make([]object, 0, len(in.Requests))
	for _, item := range in.Requests {
		u, err := url.Parse("/" + strings.TrimPrefix(strings.TrimPrefix(item.URL, r.base), "/"))
		if err != nil {
			return fail(http.StatusBadRequest, "BadRequest", "Invalid batch request URL: "+item.URL), nil
		}
		inner := &request{
			method: strings.ToUpper(item.Method), path: "/" + strings.Trim(u.Path, "/"), query: u.Query(),
			header: http.Header{"Authorization": r.header["Authorization"]}, body: item.Body, base: r.base,
			gone: r.gone,
		}
		for k, v := range item.Headers {
			inner.header.Set(k, v)
		}
		rep, met := t.answer(inner)
		struck = append(struck, met...)
		id := t.nextRequestID()
		t.sign(rep, id, id)
		headers := map[string]string{"Content-Type": "application/json"}
		for k, v := range rep.header {
			headers[k] = v
		}
		responses = append(responses, object{"id": item.ID, "status": rep.status, "headers": headers, "body": rep.body})
	}
	return reply{status: http.StatusOK, body: object{"responses": responses}}, struck
}
