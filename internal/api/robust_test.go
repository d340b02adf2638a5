package api_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

func TestRequests(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		for i, status := range []int{201, 404, 409, 409, 500} {
			r := &roster.Request{
				ID: roster.NewID(), Org: b.acme, Time: time.Now(), Method: "POST", Path: "/Users", Status: status, TokenName: "t", Client: "192.0.2.1",
				RequestBody: strings.Repeat("x", i), Duration: 1500 * time.Microsecond, Detail: "owned by okta",
			}
			b.ok(b.db.LogRequest(ctx, r, ""))
		}
		for status, want := range map[string]int{"": 5, "409": 2, "4xx": 3, "5xx": 1, "2xx": 1, "1xx": 0, "418": 0} {
			if got := list(b, b.local.Requests(ctx, "acme", client.ListOptions{Status: status})); len(got) != want {
				b.t.Errorf("%q: %d requests, want %d", status, len(got), want)
			}
		}
		for _, bad := range []string{"x", "4x", "6xx", "99999999999", "-1", "4xxx"} {
			b.refused(listError(b.local.Requests(ctx, "acme", client.ListOptions{Status: bad})), http.StatusBadRequest, "invalid", "4xx")
		}
		first := list(b, b.local.Requests(ctx, "acme", client.ListOptions{Limit: 1}))[0]
		if first.Status != 201 || first.Token != "t" || first.DurationMS != 1 || first.Detail != "owned by okta" || first.Client != "192.0.2.1" {
			b.t.Errorf("got %+v", first)
		}
		viewer, names, after := b.key("acme", "viewer"), 0, ""
		for range 5 {
			var page client.Page[client.Request]
			b.read("/api/v1/orgs/acme/requests?limit=2"+after, viewer, &page)
			names += len(page.Items)
			if after = "&after=" + page.Next; page.Next == "" {
				break
			}
		}
		if names != 5 {
			b.t.Errorf("%d requests in pages", names)
		}
	})
}

func TestEventsAreNumberedAndPaged(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		for _, name := range []string{"a", "b", "c"} {
			b.push("", name, "")
		}
		storetest.Number(b.t, b.db, b.acme)
		b.push("", "d", "")
		events := list(b, b.local.Events(ctx, "acme", client.ListOptions{}))
		if len(events) != 5 || *events[0].Number != 1 || events[4].Number != nil || events[4].Subject.Name != "d" {
			b.t.Errorf("got %+v", events)
		}
		viewer := b.key("acme", "viewer")
		var seen []string
		for after := ""; ; {
			var page client.Page[client.Event]
			b.read("/api/v1/orgs/acme/events?search=member&limit=2"+after, viewer, &page)
			for _, e := range page.Items {
				seen = append(seen, e.Subject.Name)
			}
			if after = "&after=" + page.Next; page.Next == "" {
				break
			}
		}
		if strings.Join(seen, "") != "abcd" {
			b.t.Errorf("got %v", seen)
		}
	})
}

func TestBadInputIsNeverOurFault(t *testing.T) {
	each(t, func(b *bench) {
		b.connection("entra", "t1")
		owner := b.key("acme", "owner")
		cursor := func(s string) string { return "after=" + base64.RawURLEncoding.EncodeToString([]byte(s)) }
		queries := []string{
			"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=99999999999999999999", "after=%00", "after=!", cursor(""), cursor("\xff\x00x"), cursor("a\x00b\x00c"),
			cursor("x\x00y"), cursor("99999999999999999999\x00y"), "search=" + strings.Repeat("x", 60_000), "search=%00", "search=%ff", "search=%25_%5C", "status=%00", "status=nothing",
			"status=99999999999", "connection=%00", "connection=%ff", "connection=nothing", "org=%ff", "org=nothing", "actions=maybe", "%zz", "limit=1&limit=2",
		}
		odd := []string{"%00", "%ff", "a%00b", strings.Repeat("x", 20_000), "%2E%2E", "%2F", "%F0%9F%98%80", "'", "nothing"}
		bodies := []string{
			"null", "[]", `"x"`, "7", "{", "", `{"name":7}`, `{"nothing":1}`, `{"name":"\u0000","expires":"1d","email":"\u0000@x","key":"\u0000","connection":"entra"}`, "\xff\xfe",
			`{"name":"` + strings.Repeat("x", 2000) + `","expires":"1d"}`, `{"name":"` + strings.Repeat("x", 600_000) + `"}`, strings.Repeat("[", 20_000),
			`{"key":"x","connection":"nothing","object_id":"x"}`, `{"key":"\u0000","connection":"entra"}`, `{"email":null}`, `{"only":["nothing"]}`, `{"only":[7]}`, `{"only":"x"}`, `{"old":"","new":""}`, `{"enabled":"yes"}`,
		}
		check := func(method, path, body string) {
			response, _ := b.do(method, path, owner, body)
			if response.StatusCode >= 500 || response.StatusCode == http.StatusUnprocessableEntity {
				b.t.Errorf("%s %.80s %.80q: %d", method, path, body, response.StatusCode)
			}
		}
		fill := map[string]string{"org": "acme", "id": "x", "token": "x", "key": "x", "name": "entra"}
		for _, op := range b.operations(fill) {
			if op.method == http.MethodGet {
				for _, query := range queries {
					check(op.method, op.path+"?"+query, "")
				}
			}
			if op.body != "" {
				for _, body := range bodies {
					check(op.method, op.path, body)
				}
			}
		}
		for _, value := range odd {
			for _, op := range b.operations(map[string]string{"org": "acme", "id": value, "token": value, "key": value, "name": value}) {
				check(op.method, op.path, op.body)
			}
			for _, op := range b.operations(map[string]string{"org": value, "id": value, "token": value, "key": value, "name": value}) {
				check(op.method, op.path, op.body)
			}
		}
		if strings.Contains(b.log.String(), "internal error") {
			b.t.Errorf("logged: %.2000s", b.log)
		}
	})
}

func TestShapeOfRefusals(t *testing.T) {
	each(t, func(b *bench) {
		owner := b.key("acme", "owner")
		for what, tc := range map[string]struct {
			method, path, body string
			status             int
			code, detail       string
		}{
			"no such route":     {http.MethodGet, "/api/v1/nothing", "", 404, "not_found", "no such resource"},
			"another method":    {http.MethodDelete, "/api/v1/orgs/acme/scim", "", 405, "invalid", "GET"},
			"a missing field":   {http.MethodPost, "/api/v1/orgs/acme/tokens", `{}`, 400, "invalid", "name"},
			"an unknown field":  {http.MethodPost, "/api/v1/orgs/acme/tokens", `{"name":"x","expires":"1d","secret":"s3cret"}`, 400, "invalid", "secret"},
			"no JSON":           {http.MethodPost, "/api/v1/orgs/acme/tokens", `{"name":"s3cret"`, 400, "invalid", "body"},
			"a body of 600 kB":  {http.MethodPost, "/api/v1/orgs/acme/tokens", strings.Repeat("s3cret", 100_000), 413, "too_large", "bytes"},
			"no body":           {http.MethodPost, "/api/v1/orgs/acme/tokens", "", 400, "invalid", "required"},
			"an enum":           {http.MethodPost, "/api/v1/orgs/acme/apikeys", `{"name":"x","role":"s3cret","expires":"1d"}`, 400, "invalid", "role"},
			"a foreign address": {http.MethodGet, "/api/v1/orgs/acme/members?search=%ff", "", 400, "invalid", "UTF-8"},
		} {
			response, p := b.do(tc.method, tc.path, owner, tc.body)
			if p.Status != tc.status || p.Code != tc.code || !strings.Contains(p.Detail, tc.detail) || strings.Contains(p.Detail, "s3cret") {
				b.t.Errorf("%s: got %+v", what, p)
			}
			if tc.status == http.StatusMethodNotAllowed && response.Header.Get("Allow") == "" {
				b.t.Errorf("%s: no Allow", what)
			}
			if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("X-Request-Id") == "" {
				b.t.Errorf("%s: header %v", what, response.Header)
			}
		}
		form, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/api/v1/orgs/acme/tokens", strings.NewReader(url.Values{"name": {"x"}}.Encode()))
		b.ok(err)
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form.Header.Set("Authorization", "Bearer "+owner)
		response, err := http.DefaultTransport.RoundTrip(form)
		b.ok(err)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnsupportedMediaType {
			b.t.Errorf("a form: %d", response.StatusCode)
		}
	})
}

func TestInternalErrorsStayInside(t *testing.T) {
	each(t, func(b *bench) {
		b.ok(b.db.Close())
		_, err := b.local.Status(b.t.Context())
		b.refused(err, http.StatusInternalServerError, "internal", "the daemon's log")
		if strings.Contains(err.Error(), "sql") || strings.Contains(err.Error(), "closed") {
			b.t.Errorf("says %q", err)
		}
		if n := strings.Count(b.log.String(), "internal error"); n != 1 || !strings.Contains(b.log.String(), "closed") {
			b.t.Errorf("logged %d times: %s", n, b.log)
		}
	})
}
