package main

import (
	"context"
	"encoding/csv"
	"strings"
	"testing"
)

const (
	requestText  = `{"id":"q1","time":"2026-01-01T00:00:00Z","method":"PATCH","path":"/service/v1/scim/v2/Users/1","status":200,"token":"idp","client":"192.0.2.1","user_agent":"=cmd()","request_body":"{\"a\":\"<b>\"}","response_body":"line\nbreak","duration_ms":7,"quirk":"capitalised op","repeats":1}`
	refusalText  = `{"id":"q2","time":"2026-01-01T00:00:00Z","method":"GET","path":"/scim/v2","status":401,"token":"idp","client":"192.0.2.1","user_agent":"x","request_body":"","response_body":"","duration_ms":0,"detail":"token idp: the token is disabled","repeats":12}`
	brokenInside = `500 {"status":500,"detail":"broken in the middle"}`
)

func TestRequestsAreExported(t *testing.T) {
	ctx := context.Background()
	const route = "GET /orgs/o/requests"
	two := map[string][]string{route: {`{"items":[` + requestText + `],"next":"1"}`, `{"items":[` + refusalText + `]}`}}
	got := startDaemon(t, two).rosterd(ctx, "requests list --org o --json")
	all, ok := document(t, got.out).([]any)
	if !ok || got.code != exitDone || len(all) != 2 || all[0].(map[string]any)["quirk"] != "capitalised op" || !strings.Contains(got.out, `"request_body": "{\"a\":\"<b>\"}"`) {
		t.Errorf("got %+v", got)
	}

	two[route] = []string{`{"items":[` + requestText + `],"next":"1"}`, `{"items":[` + refusalText + `]}`}
	got = startDaemon(t, two).rosterd(ctx, "requests list --org o --csv")
	rows, err := csv.NewReader(strings.NewReader(got.out)).ReadAll()
	if err != nil || len(rows) != 3 || rows[0][0] != "time" || rows[1][4] != "200" || rows[1][8] != "'=cmd()" || rows[1][13] != "line\nbreak" || rows[2][9] != "12" {
		t.Errorf("%v: %q", err, got.out)
	}

	two[route] = []string{`{"items":[` + requestText + `,` + refusalText + `]}`}
	got = startDaemon(t, two).rosterd(ctx, "requests list --org o")
	for _, want := range []string{"/Users/1  tolerated: capitalised op\n", "/scim/v2  12 times; token idp: the token is disabled\n", "MS"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in\n%s", want, got.out)
		}
	}

	for _, format := range []string{"--json", "--csv"} {
		f := startDaemon(t, map[string][]string{route: {`{"items":[` + requestText + `],"next":"1"}`, brokenInside}})
		got := f.rosterd(ctx, "requests list --org o "+format)
		if got.code != exitFailed || !strings.Contains(got.errOut, "broken in the middle") || strings.HasSuffix(strings.TrimSpace(got.out), "]") {
			t.Errorf("%s broken off: %+v", format, got)
		}
	}
	if got := startDaemon(t, nil).rosterd(ctx, "requests list --org o --csv --json"); got.code != exitUsage {
		t.Errorf("both formats: %+v", got)
	}
}

func TestTokensShowTheirLimitsAndTheirLastDays(t *testing.T) {
	token := func(more string) string {
		return `{"id":"t1","name":"ci","connection":null,"expires_at":"2099-01-02T12:00:00Z","disabled":false,"last_used_at":null,"created_at":"2026-01-01T00:00:00Z"` + more + `}`
	}
	for more, want := range map[string]string{
		`,"days_left":300`: "2099-01-02",
		`,"days_left":30`:  "in 30 days",
		`,"days_left":1`:   "in 1 day",
		`,"days_left":0`:   "within a day",
		`,"days_left":90,"rate":50,"from":["10.0.0.0/8"]`: "50/s, from 10.0.0.0/8",
		`,"days_left":90,"from":["a","b","c","d"]`:        "any rate, from a, b, c +1",
	} {
		f := startDaemon(t, map[string][]string{"GET /orgs/o/tokens": {page(token(more))}})
		if got := f.rosterd(context.Background(), "token list --org o"); got.code != exitDone || !strings.Contains(got.out, want) {
			t.Errorf("%s: %q is not in\n%s", more, want, got.out)
		}
	}
	for line, want := range map[string]string{
		"token limit ci --org o --rate 50/s":                      `{"rate":50}`,
		"token limit ci --org o --rate off --from any":            `{"from":[],"rate":0}`,
		"token limit ci --org o --from 10.0.0.0/8,2001:db8::1":    `{"from":["10.0.0.0/8","2001:db8::1"]}`,
		"token create --org o --name n --expires 1d --rate 30":    `{"name":"n","expires":"1d","rate":30}`,
		"token create --org o --name n --expires 1d --from any":   `{"name":"n","expires":"1d"}`,
		"token create --org o --name n --expires 1d --from ::1/8": `{"name":"n","expires":"1d","from":["::1/8"]}`,
	} {
		f := startDaemon(t, map[string][]string{"POST /orgs/o/tokens/ci/limit": {token("")}, "POST /orgs/o/tokens": {token("")}})
		got := f.rosterd(context.Background(), line)
		if asked := f.requests(); got.code != exitDone || len(asked) != 1 || !strings.HasSuffix(asked[0], " "+want) {
			t.Errorf("%s: asked %q; %+v", line, asked, got)
		}
	}
	for _, line := range []string{
		"token limit ci --org o", "token limit ci --org o --rate 0", "token limit ci --org o --rate 5/m", "token limit ci --org o --rate -5",
		"token limit ci --org o --from example.com", "token limit ci --org o --from 10.0.0.0/8,", "token limit --org o --rate 50",
	} {
		f := startDaemon(t, nil)
		if got := f.rosterd(context.Background(), line); got.code != exitUsage || len(f.requests()) > 0 {
			t.Errorf("%s: %+v", line, got)
		}
	}
}
