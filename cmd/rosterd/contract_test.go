package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
)

const (
	memberText     = `{"id":"1","user_name":"ada@x","external_id":"e","display_name":"Ada","email":"ada@x","status":"active","source":"scim","role":"owner","connection":"entra","teams":null}`
	tokenText      = `{"id":"t1","name":"ci","token":"rst_1","connection":null,"expires_at":"2030-01-01T00:00:00Z","disabled":false,"last_used_at":null,"created_at":"2026-01-01T00:00:00Z"}`
	connectionText = `{"name":"entra","kind":"entra","state":"ok","target":"t","members":3,"teams":1}`
	queuedText     = `{"run":"r1","connection":"entra","mode":"dry","state":"queued","held":null,"actions":null,"totals":null}`
)

// runText is a finished run.
func runText(state, totals string) string {
	return `{"run":"r1","organisation":"default","connection":"entra","mode":"full","state":"` + state + `","complete":true,"held":[],"totals":` + totals +
		`,"actions":[{"kind":"stale_member","action":"update","subject":{"type":"member","id":"1","name":"ada@x","object_id":"o"},"reason":"name","evidence":null}]}`
}

// personText is a run of one person, as the daemon answers it.
func personText(state, action string) string {
	return `{"run":"r1","connection":"entra","mode":"one","state":"` + state + `","complete":true,"totals":{"stale_member":1},"note":"n",` +
		`"person":{"key":"ada","object_id":"o","member_id":null,"there":"t","here":"h","done":"d"},` +
		`"actions":[{"kind":"stale_member","action":"update","subject":{"type":"member","id":"1","name":"ada@x","object_id":"o"},"reason":"name","evidence":[],"state":"` + action + `"}]}`
}

// personView is the same, as it is printed.
func personView(state, action string) string {
	return `{"actions":[{"action":"update","evidence":[],"kind":"stale_member","reason":"name","state":"` + action +
		`","subject":{"id":"1","name":"ada@x","object_id":"o","type":"member"}}],"complete":true,"connection":"entra","created_at":"0001-01-01T00:00:00Z",` +
		`"finished_at":null,"held":null,"mode":"one","note":"n","organisation":"","person":{"done":"d","here":"h","key":"ada","member_id":null,"object_id":"o","there":"t"},` +
		`"requested_by":"","run":"r1","started_at":null,"state":"` + state + `","totals":{"stale_member":1}}`
}

func page(items ...string) string { return `{"items":[` + strings.Join(items, ",") + `]}` }

// document decodes exactly one JSON document.
func document(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("no JSON: %v in %q", err, text)
	}
	if err := decoder.Decode(new(any)); err != io.EOF {
		t.Fatalf("more than one document in %q", text)
	}
	return value
}

// compact gives JSON without white space, keys in order.
func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document(t, text)); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

const memberView1 = `{"connection":"entra","display_name":"Ada","email":"ada@x","external_id":"e","id":"1","source":"scim","status":"active","teams":[],"user_name":"ada@x"}`

func TestJSONOfEveryCommand(t *testing.T) {
	const runHead = `"complete":true,"connection":"entra","created_at":"0001-01-01T00:00:00Z","finished_at":null,"held":null,"mode":"full","organisation":"default","requested_by":"","run":"r1","started_at":null`
	const runActions = `{"actions":[{"action":"update","evidence":[],"kind":"stale_member","reason":"name","subject":{"id":"1","name":"ada@x","object_id":"o","type":"member"}}],` + runHead
	for line, tc := range map[string]struct {
		route, answer string
		asked, want   string
		code          int
	}{
		"org create acme":          {"POST /orgs", `{"id":"1","name":"acme"}`, `POST /orgs {"name":"acme"}`, `{"created_at":"0001-01-01T00:00:00Z","id":"1","name":"acme","scim":false}`, 0},
		"org list":                 {"GET /orgs", page(), `GET /orgs?limit=1000`, `[]`, 0},
		"org scim on --org o":      {"PUT /orgs/o/scim", `{"organisation":"o","enabled":true,"base_url":"u"}`, `PUT /orgs/o/scim {"enabled":true}`, `{"base_url":"u","enabled":true,"organisation":"o"}`, 0},
		"org scim status --org o":  {"GET /orgs/o/scim", `{"organisation":"o"}`, `GET /orgs/o/scim`, `{"base_url":"","enabled":false,"organisation":"o"}`, 0},
		"token disable ci --org o": {"POST /orgs/o/tokens/ci/disable", `{"id":"t1","name":"ci","disabled":true}`, `POST /orgs/o/tokens/ci/disable`, `{"connection":null,"created_at":"0001-01-01T00:00:00Z","disabled":true,"expires_at":null,"id":"t1","last_used_at":null,"name":"ci"}`, 0},
		"token delete ci --org o":  {"DELETE /orgs/o/tokens/ci", `204 `, `DELETE /orgs/o/tokens/ci`, `{"deleted":"ci"}`, 0},
		"members list --org o --status active --connection entra --search ada --limit 5": {"GET /orgs/o/members", page(memberText), `GET /orgs/o/members?connection=entra&limit=5&search=ada&status=active`, `[` + memberView1 + `]`, 0},
		"members invite ada@x --org o":                                 {"POST /orgs/o/members", memberText, `POST /orgs/o/members {"email":"ada@x","role":"member"}`, memberView1, 0},
		"members deactivate ada@x --org o":                             {"POST /orgs/o/members/ada@x/deactivate", memberText, `POST /orgs/o/members/ada@x/deactivate`, memberView1, 0},
		"members adopt ada@x --org o --connection entra":               {"POST /orgs/o/members/adopt", `{"adopted":[` + memberText + `]}`, `POST /orgs/o/members/adopt {"key":"ada@x","connection":"entra"}`, `{"adopted":[` + memberView1 + `],"refused":[]}`, 0},
		"members adopt --all-matching --org o --connection entra":      {"POST /orgs/o/members/adopt", `{"adopted":null,"refused":[{"member":"ada@x","reason":"owner"}]}`, `POST /orgs/o/members/adopt {"all_matching":true,"connection":"entra"}`, `{"adopted":[],"refused":[{"member":"ada@x","reason":"owner"}]}`, 1},
		"members link k --org o --connection entra --object i":         {"POST /orgs/o/members/link", memberText, `POST /orgs/o/members/link {"key":"k","connection":"entra","object_id":"i"}`, memberView1, 0},
		"teams list --org o":                                           {"GET /orgs/o/teams", page(`{"id":"1","display_name":"Eng","external_id":"","managed":true,"status":"active"}`), `GET /orgs/o/teams?limit=1000`, `[{"connection":null,"display_name":"Eng","external_id":"","id":"1","managed":true,"members":[]}]`, 0},
		"connection list --org o":                                      {"GET /orgs/o/connections", page(connectionText), `GET /orgs/o/connections?limit=1000`, `[{"kind":"entra","members":3,"name":"entra","state":"ok","target":"t","teams":1}]`, 0},
		"connection test entra --org o":                                {"POST /orgs/o/connections/entra/test", `{"name":"entra","ok":false,"message":"401"}`, `POST /orgs/o/connections/entra/test`, `{"message":"401","name":"entra","ok":false}`, 1},
		"connection rename a entra --org o":                            {"POST /orgs/o/connections/rename", connectionText, `POST /orgs/o/connections/rename {"old":"a","new":"entra"}`, `{"kind":"entra","members":3,"name":"entra","state":"ok","target":"t","teams":1}`, 0},
		"connection release entra --org o":                             {"POST /orgs/o/connections/entra/release", connectionText, `POST /orgs/o/connections/entra/release`, `{"kind":"entra","members":3,"name":"entra","state":"ok","target":"t","teams":1}`, 0},
		"resync --org o --full":                                        {"POST /orgs/o/resync", `{"runs":[` + runText("queued", "null") + `]}`, `POST /orgs/o/resync {"full":true}`, `{"runs":[` + runActions + `,"state":"queued","totals":{}}]}`, 0},
		"resync --org o --user ada":                                    {"POST /orgs/o/resync", `{"runs":[` + personText("done", "applied") + `]}`, `POST /orgs/o/resync {"user":"ada"}`, `{"runs":[` + personView("done", "applied") + `]}`, 0},
		"resync --org o --user ada --connection entra":                 {"POST /orgs/o/resync", `{"runs":[` + personText("partial", "skipped") + `]}`, `POST /orgs/o/resync {"connection":"entra","user":"ada"}`, `{"runs":[` + personView("partial", "skipped") + `]}`, 3},
		"resync --org o --user eve":                                    {"POST /orgs/o/resync", `{"runs":[` + personText("failed", "skipped") + `]}`, `POST /orgs/o/resync {"user":"eve"}`, `{"runs":[` + personView("failed", "skipped") + `]}`, 1},
		"diff --org o --user ada":                                      {"POST /orgs/o/diff", personText("done", "planned"), `POST /orgs/o/diff {"user":"ada"}`, personView("done", "planned"), 2},
		"runs show r1":                                                 {"GET /runs/r1", runText("held", `{"stale_member":1}`), `GET /runs/r1?actions=true`, runActions + `,"state":"held","totals":{"stale_member":1}}`, 0},
		"runs list --org o --status held":                              {"GET /runs", page(), `GET /runs?limit=1000&org=o&status=held`, `[]`, 0},
		"runs approve r1 --only stale_member":                          {"POST /runs/r1/approve", runText("queued", `{"stale_member":1}`), `POST /runs/r1/approve {"only":["stale_member"]}`, runActions + `,"state":"queued","totals":{"stale_member":1}}`, 0},
		"runs cancel r1":                                               {"POST /runs/r1/cancel", runText("cancelled", `{}`), `POST /runs/r1/cancel`, runActions + `,"state":"cancelled","totals":{}}`, 0},
		"events list --org o":                                          {"GET /orgs/o/events", page(`{"number":null,"time":"2026-01-01T00:00:00Z","type":"member.created","actor":{"type":"run","id":"r","name":"entra"},"subject":{"type":"member","id":"1","name":"ada","object_id":""},"before":null,"after":{"a":"<b>"},"reason":"x","run":"r","request":null}`), `GET /orgs/o/events?limit=1000`, `[{"actor":{"id":"r","name":"entra","type":"run"},"after":{"a":"<b>"},"before":null,"number":null,"reason":"x","subject":{"id":"1","name":"ada","object_id":"","type":"member"},"time":"2026-01-01T00:00:00Z","type":"member.created"}]`, 0},
		"requests list --org o --status 4xx":                           {"GET /orgs/o/requests", page(), `GET /orgs/o/requests?limit=1000&status=4xx`, `[]`, 0},
		"apikey delete k --org o":                                      {"DELETE /orgs/o/apikeys/k", `204 `, `DELETE /orgs/o/apikeys/k`, `{"deleted":"k"}`, 0},
		"alerts list --all":                                            {"GET /alerts", page(alertText), `GET /alerts?all=true&limit=1000`, `[` + alertView + `]`, 0},
		"alerts show a1":                                               {"GET /alerts", page(alertText), `GET /alerts?all=true&limit=1000`, alertView, 0},
		"alerts test":                                                  {"POST /alerts/test", `{"ok":false,"channels":[{"channel":"email","ok":false,"error":"refused"}]}`, `POST /alerts/test`, `{"channels":[{"channel":"email","error":"refused","ok":false}],"ok":false}`, 1},
		"status":                                                       {"GET /status", `{"version":"v1","database":"sqlite"}`, `GET /status`, `{"alerts":[],"connections":[],"database":"sqlite","version":"v1"}`, 0},
		"apikey create --org o --name n --role viewer --expires never": {"POST /orgs/o/apikeys", `{"id":"1","name":"n","role":"viewer","key":"rsk","expires_at":null}`, `POST /orgs/o/apikeys {"name":"n","role":"viewer","expires":"never"}`, `{"expires_at":null,"id":"1","key":"rsk","name":"n","role":"viewer"}`, 0},
		"token create --org o --name ci --expires 90d":                 {"POST /orgs/o/tokens", tokenText, `POST /orgs/o/tokens {"name":"ci","expires":"90d"}`, `{"connection":null,"expires_at":"2030-01-01T00:00:00Z","id":"t1","name":"ci","token":"rst_1"}`, 0},
	} {
		t.Run(line, func(t *testing.T) {
			f := startDaemon(t, map[string][]string{tc.route: {tc.answer}})
			got := f.rosterd(context.Background(), line+" --json")
			if got.code != tc.code {
				t.Fatalf("exit code %d, want %d; %s", got.code, tc.code, got.errOut)
			}
			if asked := f.requests(); !slices.Equal(asked, []string{tc.asked}) {
				t.Errorf("asked %q\nwant  %q", asked, tc.asked)
			}
			if text := compact(t, got.out); text != tc.want {
				t.Errorf("got  %s\nwant %s", text, tc.want)
			}
			human := startDaemon(t, map[string][]string{tc.route: {tc.answer}}).rosterd(context.Background(), line)
			if human.code != tc.code || strings.ContainsAny(human.out, "\x1b{") || human.out+human.errOut == "" {
				t.Errorf("for a person: %+v", human)
			}
		})
	}
}

func TestWrongUseIs64AndAsksNothing(t *testing.T) {
	for _, line := range []string{
		"", "nosuch", "--nosuch", "org", "org nosuch", "org scim", "org create", "org create a b", "org list --nosuch",
		"members list", "members list --org", "members list --org o extra", "members list --org o --status nosuch",
		"members list --org o --limit -1", "members list --org o --limit x", "members list --org=",
		"members adopt --org o --connection c", "members adopt k --all-matching --org o --connection c", "members adopt k --org o",
		"members invite a@x --org o --role king",
		"token create --org o --name n", "token create --org o --name n --expires 90", "token create --org o --name n --expires 0d",
		"token create --org o --name n --expires 1y", "token create --org o --name n --expires -1d", "token create --org o --name n --expires 99999w",
		"token create --org o --expires 90d", "token create --org o --name= --expires 90d", "apikey create --org o --name n --expires 1d --role member",
		"diff --org o --user=", "resync --org o --user=", "diff", "resync --org o extra",
		"runs approve", "runs approve r1 --only nosuch", "runs show", "requests list --org o --status 42", "requests list --org o --status 9xx",
		"--server https://x status", "--api-key-file /nowhere status", "version extra",
	} {
		t.Run(line, func(t *testing.T) {
			f := startDaemon(t, nil)
			got := f.rosterd(context.Background(), "--json "+line)
			if got.code != exitUsage || got.out != "" || !strings.Contains(got.errOut, "rosterd: ") || !strings.Contains(got.errOut, "--help") {
				t.Errorf("got %+v", got)
			}
			if asked := f.requests(); len(asked) > 0 {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestFailuresAre1AndPrintNothingOnStandardOutput(t *testing.T) {
	f := startDaemon(t, map[string][]string{
		"GET /orgs/o/members": {`{"items":[` + memberText + `],"next":"2"}`, `500 {"status":500,"detail":"broken in the middle"}`},
		"GET /orgs/o/teams":   {`200 {"items":[`},
	})
	for line, want := range map[string]string{
		"members list --org o": "rosterd: broken in the middle\n",
		"teams list --org o":   "not what this version of rosterd reads",
		"runs show r9":         "rosterd: no GET /runs/r9 here\n",
	} {
		got := f.rosterd(context.Background(), line+" --json")
		if got.code != exitFailed || got.out != "" || !strings.Contains(got.errOut, want) {
			t.Errorf("%s: %+v", line, got)
		}
	}
	got := (&fakeDaemon{dir: "/nowhere at all"}).rosterd(context.Background(), "status")
	if got.code != exitFailed || !strings.Contains(got.errOut, "/nowhere at all/rosterd.sock") || !strings.Contains(got.errOut, "rosterd serve --data-dir '/nowhere at all'") {
		t.Errorf("no daemon: %+v", got)
	}
	if got := (&fakeDaemon{dir: "/" + strings.Repeat("x", 110)}).rosterd(context.Background(), "status"); got.code != exitFailed || !strings.Contains(got.errOut, "too long") {
		t.Errorf("a long path: %+v", got)
	}
}

func TestVersionAndHelpNeedNoDaemon(t *testing.T) {
	nowhere := &fakeDaemon{dir: "/nowhere"}
	got := nowhere.rosterd(context.Background(), "version --json")
	if m, ok := document(t, got.out).(map[string]any); !ok || got.code != 0 || m["version"] == "" {
		t.Errorf("got %+v", got)
	}
	for _, line := range []string{"--help", "members --help", "help members list"} {
		if got := nowhere.rosterd(context.Background(), line); got.code != 0 || got.errOut != "" || !strings.Contains(got.out, "Usage:") {
			t.Errorf("%s: %+v", line, got)
		}
	}
}
