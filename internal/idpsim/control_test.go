package idpsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// surface is a tenant with its control surface.
type surface struct {
	t    *testing.T
	url  string
	auth string
	page string // the first page of its people
}

func surfaces(t *testing.T, seed int64) map[string]*surface {
	t.Helper()
	entra := idpsim.New(idpsim.Config{Seed: seed, Members: 12, Groups: 2, Now: frozen})
	okta := idpsim.NewOkta(idpsim.OktaConfig{Seed: seed, Members: 12, Groups: 2, Now: frozen})
	serve := func(h http.Handler, auth, page string) *surface {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return &surface{t, srv.URL, auth, page}
	}
	return map[string]*surface{
		"entra": serve(idpsim.Control(entra, nil), "Bearer "+entra.AccessToken(), "/v1.0/users?$top=5"),
		"okta":  serve(idpsim.OktaControl(okta, nil), "SSWS "+okta.APIToken(), "/api/v1/apps/"+okta.AppID()+"/users?limit=5"),
	}
}

// ask sends a request under a name that doesn't tell on which port, and returns the answer whole: status, headers, body.
func (s *surface) ask(method, path, body string, headers ...string) (status int, text, whole string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Host = "sim.example"
	req.Header.Set("Authorization", s.auth)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", "no answer"
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if strings.HasPrefix(path, "/_sim") {
		res.Header.Del("Date") // the tenant's answers are dated by its clock
	}
	return res.StatusCode, string(raw), fmt.Sprintf("%d %v %s %v", res.StatusCode, res.Header, raw, err)
}

// must sends a request to the control surface and decodes the answer.
func (s *surface) must(method, path, body string) map[string]any {
	s.t.Helper()
	status, text, _ := s.ask(method, "/_sim"+path, body)
	if status >= 300 {
		s.t.Fatalf("%s %s %s: %d %s", method, path, body, status, text)
	}
	out := map[string]any{}
	if strings.HasPrefix(text, "{") {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			s.t.Fatalf("%v in %s", err, text)
		}
	}
	return out
}

// people are the oracle's user names.
func (s *surface) people() []string {
	s.t.Helper()
	var out []string
	list, _ := s.must("GET", "/oracle", "")["people"].([]any)
	for _, p := range list {
		m, _ := p.(map[string]any)
		out = append(out, fmt.Sprint(m["userName"]))
	}
	return out
}

func TestASeedAndTheSameRequestsGiveTheSameBytes(t *testing.T) {
	one, two, other := surfaces(t, 7), surfaces(t, 7), surfaces(t, 8)
	for kind, s := range one {
		name := fmt.Sprint(s.must("GET", "/oracle?limit=1", "")["people"])
		name = strings.Fields(name[strings.Index(name, "userName:")+len("userName:"):])[0]
		name = strings.TrimRight(name, "]")
		key := map[string]string{"entra": "userPrincipalName", "okta": "login"}[kind]
		list := []struct{ method, path, body string }{
			{"POST", "/_sim/faults", `["GET /**: 500 chance=0.4", "GET /**: truncate chance=0.2", "GET /**: drop chance=0.1"]`},
			{"POST", "/_sim/mutate", fmt.Sprintf(`[{"op":"add_user","set":{%q:"new@sim.example"}},{"op":"assign","user":"new@sim.example"},
				{"op":"disable","user":%q},{"op":"add_group","name":"New"},{"op":"join","group":"New","user":"new@sim.example"}]`, key, name)},
			{"PUT", "/_sim/lag", `{"changes":3,"every":2}`},
			{"GET", "/_sim/snapshot", ""}, {"GET", "/_sim/snapshot?digest", ""}, {"GET", "/_sim/oracle", ""}, {"GET", "/_sim/requests", ""},
			{"GET", "/_sim/oracle/" + name, ""}, {"GET", "/_sim/faults", ""}, {"GET", "/_sim/", ""}, {"GET", "/nothing", ""},
			{"GET", "/v1.0/users/delta?$select=displayName", ""}, {"GET", "/api/v1/logs", ""}, {"GET", "/api/v1/users/" + name, ""},
			{"GET", "/v1.0/users?$filter=mail%20eq%20'new@sim.example'", ""},
		}
		for range 20 {
			list = append(list, struct{ method, path, body string }{"GET", s.page, ""})
		}
		differs := false
		for i, r := range list {
			_, _, a := one[kind].ask(r.method, r.path, r.body)
			_, _, b := two[kind].ask(r.method, r.path, r.body)
			_, _, c := other[kind].ask(r.method, r.path, r.body)
			if a != b {
				t.Fatalf("%s, request %d, %s %s:\n%s\n%s", kind, i, r.method, r.path, a, b)
			}
			differs = differs || a != c
		}
		if !differs {
			t.Errorf("%s: another seed, the same answers", kind)
		}
	}
}

func TestChangesOverTheControlSurfaceReachTheOracle(t *testing.T) {
	all := surfaces(t, 7)
	for kind, key := range map[string]string{"entra": "userPrincipalName", "okta": "login"} {
		s := all[kind]
		step := func(what, mutation string, is bool) {
			t.Helper()
			s.must("POST", "/mutate", mutation)
			if got := slices.Contains(s.people(), "ada@sim.example"); got != is {
				t.Errorf("%s, %s: desired is %t", kind, what, got)
			}
			if why := s.must("GET", "/oracle/ada@sim.example", ""); why["desired"] != is {
				t.Errorf("%s, %s: %v", kind, what, why)
			}
		}
		step("added", fmt.Sprintf(`{"op":"add_user","set":{%q:"ada@sim.example","displayName":"Ada"}}`, key), false)
		step("assigned", `{"op":"assign","user":"ada@sim.example"}`, true)
		step("disabled", `{"op":"disable","user":"ADA@sim.example"}`, false)
		step("enabled", `[{"op":"enable","user":"ada@sim.example"}]`, kind == "entra") // Okta takes direct assignments away for good
		step("in an assigned group", `[{"op":"add_group","name":"Sim"},{"op":"join","group":"Sim","users":["ada@sim.example"]},{"op":"assign","group":"Sim"}]`, true)
		step("renamed", fmt.Sprintf(`[{"op":"rename","user":"ada@sim.example","name":"eve@sim.example"},{"op":"update_user","user":"eve@sim.example","set":{%q:"ada@sim.example"}}]`, key), true)
		if kind == "entra" {
			step("unassigned, and still in the group", `{"op":"unassign","user":"ada@sim.example"}`, true)
		}
		step("out of the group", `{"op":"leave","group":"Sim","user":"ada@sim.example"}`, false)
		if kind == "entra" {
			s.must("POST", "/mutate", `[{"op":"assign","user":"ada@sim.example"},{"op":"delete","user":"ada@sim.example"}]`)
			step("restored", `{"op":"restore","user":"ada@sim.example"}`, true)
			continue
		}
		teams := func() string { return fmt.Sprint(s.must("GET", "/oracle", "")["teams"]) }
		s.must("POST", "/mutate", `{"op":"push_group","group":"Sim"}`)
		if !strings.Contains(teams(), "displayName:Sim") {
			t.Errorf("a pushed group: %s", teams())
		}
		s.must("POST", "/mutate", `{"op":"rename","group":"Sim","name":"Renamed"}`)
		s.must("POST", "/mutate", `{"op":"pause_push","group":"Renamed"}`)
		if strings.Contains(teams(), "displayName:Renamed") {
			t.Errorf("a paused group: %s", teams())
		}
	}
}

func TestAReadCanBeOlderThanTheOneBefore(t *testing.T) {
	for kind, s := range surfaces(t, 7) {
		key := map[string]string{"entra": "userPrincipalName", "okta": "login"}[kind]
		there := func() (out []bool) {
			path := map[string]string{"entra": "/v1.0/users/", "okta": "/api/v1/users/"}[kind]
			for range 4 {
				status, _, _ := s.ask("GET", path+"late@sim.example", "")
				out = append(out, status == http.StatusOK)
			}
			return out
		}
		s.must("PUT", "/lag", `{"every":2}`)
		s.must("POST", "/mutate", fmt.Sprintf(`[{"op":"add_user","set":{%q:"early@sim.example"}},{"op":"add_user","set":{%q:"late@sim.example"}}]`, key, key))
		if got := there(); !slices.Equal(got, []bool{true, false, true, false}) {
			t.Errorf("%s: every second read from the replica: %v", kind, got)
		}
		if got := s.must("POST", "/lag/advance", `{"changes":1}`); got["changes"] != 1.0 || got["on"] != true {
			t.Errorf("%s: one change later %v", kind, got)
		}
		if got := there(); !slices.Equal(got, []bool{true, false, true, false}) {
			t.Errorf("%s: after one of two changes: %v", kind, got)
		}
		if got := s.must("POST", "/lag/advance", `{}`); got["on"] != false {
			t.Errorf("%s: caught up %v", kind, got)
		}
		if got := there(); slices.Contains(got, false) {
			t.Errorf("%s: afterwards %v", kind, got)
		}
	}
}

func TestFaultsAreListedPutAndDeleted(t *testing.T) {
	for kind, s := range surfaces(t, 7) {
		status := func() int { code, _, _ := s.ask("GET", s.page, ""); return code }
		s.must("PUT", "/faults/slow", `{"match":"GET /**","fault":429,"times":1,"retry_after":2}`)
		s.must("POST", "/faults", `"GET /**: 503 times=1"`)
		if a, b, c := status(), status(), status(); a != 429 || b != 200 || c != 200 {
			// both rules count the first request; the first one decides how it fails
			t.Errorf("%s: %d %d %d", kind, a, b, c)
		}
		_, listed, _ := s.ask("GET", "/_sim/faults", "")
		if !strings.Contains(listed, `"id": "slow"`) || strings.Count(listed, `"struck": 1`) != 2 || strings.Count(listed, `"seen": 3`) != 2 {
			t.Errorf("%s: %s", kind, listed)
		}
		s.must("PUT", "/faults/slow", `"GET /**: 500"`)
		if got := status(); got != 500 {
			t.Errorf("%s: put again: %d", kind, got)
		}
		s.must("DELETE", "/faults/slow", "")
		s.must("PUT", "/faults", `["GET /**: 502"]`)
		if got := status(); got != 502 {
			t.Errorf("%s: put all: %d", kind, got)
		}
		s.must("DELETE", "/faults", "")
		if got := status(); got != 200 {
			t.Errorf("%s: deleted: %d", kind, got)
		}
		s.must("DELETE", "/requests", "")
		status()
		if n := s.must("GET", "/requests", ""); len(n) != 1 {
			t.Errorf("%s: counted %v", kind, n)
		}
	}
}

func TestTheControlSurfaceSaysWhatItDoesNotTake(t *testing.T) {
	all := surfaces(t, 7)
	for _, c := range []struct {
		kind, method, path, body string
		status                   int
		words                    string
	}{
		{"entra", "POST", "/faults", `"GET /users: burn"`, 400, "one of content_type"},
		{"entra", "POST", "/faults", `{"match":"GET /users","fault":"429","often":2}`, 400, "often"},
		{"entra", "POST", "/faults", ``, 400, "empty"},
		{"entra", "POST", "/faults", `{`, 400, "read the request"},
		{"entra", "DELETE", "/faults/none", "", 404, "none"},
		{"entra", "POST", "/mutate", `{"op":"burn","user":"x"}`, 400, "want one of add_user"},
		{"entra", "POST", "/mutate", `{"op":"disable"}`, 400, "name the user"},
		{"entra", "POST", "/mutate", `{"op":"disable","user":"nobody@sim.example"}`, 404, "nobody@sim.example"},
		{"entra", "POST", "/mutate", `{"op":"add_user","set":{"shoeSize":"43"}}`, 400, "userPrincipalName"},
		{"entra", "POST", "/mutate", `{"op":"add_user","set":{"userPrincipalName":"ada"}}`, 400, "name@domain"},
		{"entra", "POST", "/mutate", `{"op":"join","user":"x"}`, 404, "group"},
		{"entra", "POST", "/mutate", `[{"op":"add_group","name":"A"},{"op":"leave","group":"B","user":"x"}]`, 404, `"applied": [`},
		{"okta", "POST", "/mutate", `{"op":"restore","user":"x"}`, 400, "keeps nobody"},
		{"okta", "POST", "/mutate", `{"op":"add_user","set":{"login":"a@sim.example","status":"HAPPY"}}`, 400, "ACTIVE"},
		{"okta", "POST", "/mutate", `{"op":"rename","group":"nobody","name":"x"}`, 404, "nobody"},
		{"entra", "PUT", "/lag", `{"every":0}`, 400, "1 or more"},
		{"entra", "POST", "/lag/advance", `{"changes":-1}`, 400, "forward"},
		{"entra", "GET", "/oracle?limit=x", "", 400, "above 0"},
		{"okta", "GET", "/oracle/nobody", "", 404, "nobody"},
		{"entra", "POST", "/push", "", 409, "--push-to"},
		{"entra", "GET", "/else", "", 404, "GET /_sim/"},
	} {
		status, text, _ := all[c.kind].ask(c.method, "/_sim"+c.path, c.body)
		if status != c.status || !strings.Contains(strings.ReplaceAll(text, `\"`, `"`), c.words) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, text)
		}
	}
	if status, _, _ := all["entra"].ask("DELETE", "/_sim/faults", "", "Origin", "https://evil.example"); status != http.StatusForbidden {
		t.Errorf("a web page steers it: %d", status)
	}
}

func TestAGroupOfManyMembersTakesSeveralPagesOfADelta(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 12_000, Groups: 1})
	big := g.DesiredTeams()[0].ObjectID
	told, pages := map[string]int{}, 0
	for next := "/groups/delta?$select=displayName,members"; next != ""; pages++ {
		a := g.get(next)
		here := 0
		for _, v := range a.values() {
			list, _ := v["members@delta"].([]any)
			here += len(list)
			for _, m := range list {
				if one, _ := m.(map[string]any); v["id"] == big {
					told[fmt.Sprint(one["id"])]++
				}
			}
		}
		if here > 2000 {
			t.Errorf("page %d has %d members", pages, here)
		}
		next, _ = a.Body["@odata.nextLink"].(string)
	}
	members := g.Members(big)
	for _, m := range members {
		if told[m] != 1 {
			t.Fatalf("%s is told %d times", m, told[m])
		}
	}
	if len(told) != len(members) || len(members) < 4000 || pages < 3 {
		t.Errorf("%d of %d members in %d pages", len(told), len(members), pages)
	}
}

func TestPeopleAreFoundByTheirMail(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1})
	found := func(mail string) int { return len(g.get("/users?$filter=mail eq '" + mail + "'").values()) }
	u, err := g.AddUser(idpsim.User{UserPrincipalName: "ada@sim.example", Mail: "Other@sim.example"})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := found("other@SIM.example"), found("ada@sim.example"); a != 1 || b != 0 {
		t.Errorf("by mail %d, by a user name that is no mail %d", a, b)
	}
	for mail, want := range map[string]int{"ada@sim.example": 1, "third@sim.example": 1} {
		if err := g.UpdateUser(u.ObjectID, func(u *idpsim.User) { u.Mail = mail }); err != nil {
			t.Fatal(err)
		}
		if a, b := found(mail), found("other@sim.example"); a != want || b != 0 {
			t.Errorf("%s: %d, by the old one %d", mail, a, b)
		}
	}
	if err := g.DeleteUser(u.ObjectID); err != nil {
		t.Fatal(err)
	}
	if n := found("third@sim.example") + found("ada@sim.example"); n != 0 {
		t.Errorf("deleted, and found %d times", n)
	}
}
