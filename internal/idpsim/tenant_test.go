package idpsim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// graph is a tenant behind a server, and a plain client for it.
type graph struct {
	*idpsim.Tenant
	t      *testing.T
	url    string
	client *http.Client
}

func newGraph(t *testing.T, cfg idpsim.Config) *graph {
	t.Helper()
	tenant := idpsim.New(cfg)
	srv := httptest.NewServer(tenant)
	t.Cleanup(srv.Close)
	return &graph{Tenant: tenant, t: t, url: srv.URL, client: srv.Client()}
}

type answer struct {
	Status int
	Header http.Header
	Body   map[string]any
	Raw    string
}

func (a answer) code() string {
	e, _ := a.Body["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a answer) values() []map[string]any {
	list, _ := a.Body["value"].([]any)
	var out []map[string]any
	for _, v := range list {
		m, _ := v.(map[string]any)
		out = append(out, m)
	}
	return out
}

// try sends a request to an absolute URL or a path below /v1.0, with header pairs, and returns transport errors.
func (g *graph) try(method, path string, body io.Reader, headers ...string) (answer, error) {
	g.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = g.url + "/v1.0" + strings.ReplaceAll(path, " ", "%20")
	}
	req, err := http.NewRequestWithContext(g.t.Context(), method, path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.AccessToken())
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := g.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	out := answer{Status: res.StatusCode, Header: res.Header, Raw: string(raw)}
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out.Body)
}

func (g *graph) get(path string, headers ...string) answer {
	g.t.Helper()
	a, err := g.try(http.MethodGet, path, nil, headers...)
	if err != nil {
		g.t.Fatalf("GET %s: %v", path, err)
	}
	return a
}

// all follows next links and returns one property of every entry.
func (g *graph) all(path, property string) (values []string, pages int) {
	g.t.Helper()
	for path != "" {
		a := g.get(path)
		if a.Status != http.StatusOK {
			g.t.Fatalf("GET %s: %d %s", path, a.Status, a.Raw)
		}
		for _, v := range a.values() {
			values = append(values, fmt.Sprint(v[property]))
		}
		pages++
		path, _ = a.Body["@odata.nextLink"].(string)
	}
	return values, pages
}

func TestTheSameSeedGivesTheSameDirectory(t *testing.T) {
	cfg := idpsim.Config{Seed: 7, Members: 200, Groups: 12}
	a, b := idpsim.New(cfg), idpsim.New(cfg)
	if !slices.Equal(a.Users(), b.Users()) || !slices.Equal(a.Groups(), b.Groups()) || a.AccessToken() != b.AccessToken() {
		t.Error("two tenants of one seed differ")
	}
	if c := idpsim.New(idpsim.Config{Seed: 8, Members: 200, Groups: 12}); slices.Equal(a.Users(), c.Users()) {
		t.Error("another seed gave the same people")
	}
}

func TestADirectoryHasThePeopleAndGroupsAskedForInScope(t *testing.T) {
	for _, size := range []struct{ members, groups int }{{0, 0}, {1, 1}, {5, 0}, {200, 12}, {3000, 90}} {
		tenant := idpsim.New(idpsim.Config{Seed: 1, Members: size.members, Groups: size.groups})
		if got := len(tenant.Desired()); got != size.members {
			t.Errorf("%v: %d people desired", size, got)
		}
		teams := tenant.DesiredTeams()
		if len(teams) != size.groups {
			t.Errorf("%v: %d teams desired", size, len(teams))
		}
		upns, mails, names := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, u := range tenant.Users() {
			if upns[u.UserPrincipalName] || mails[u.Mail] {
				t.Errorf("%v: address of %v taken twice", size, u)
			}
			upns[u.UserPrincipalName], mails[u.Mail] = true, true
		}
		for _, g := range tenant.Groups() {
			if names[g.DisplayName] {
				t.Errorf("%v: two groups named %s", size, g.DisplayName)
			}
			names[g.DisplayName] = true
		}
	}
}

func TestADirectoryHoldsWhatIsOutOfScopeToo(t *testing.T) {
	tenant := idpsim.New(idpsim.Config{Seed: 1, Members: 200, Groups: 12})
	var outside, disabled, nested, direct int
	for _, u := range tenant.Users() {
		scope := tenant.Scope(u.ObjectID)
		if len(scope) == 0 {
			outside++
		} else if u.Disabled {
			disabled++
		}
		if slices.Contains(scope, u.ObjectID) {
			direct++
		}
	}
	for _, g := range tenant.Groups() {
		for _, m := range tenant.Members(g.ObjectID) {
			if _, ok := tenant.Group(m); ok {
				nested++
			}
		}
	}
	if outside != 20 || disabled != 4 || nested != 1 || direct == 0 || len(tenant.Groups()) <= 12 {
		t.Errorf("outside %d, disabled %d, nested groups %d, assigned directly %d, groups %d",
			outside, disabled, nested, direct, len(tenant.Groups()))
	}
}

func TestUsersArePagedByLinksToTheTenantItself(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 250, Groups: 3})
	want := len(g.Users())
	for query, pages := range map[string]int{"": 3, "?$top=999": 1, "?$top=7": 40, "?%24select=id,userPrincipalName&%24top=50": 6} {
		ids, n := g.all("/users"+query, "id")
		if n != pages || len(ids) != want || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != want {
			t.Errorf("%q: %d ids in %d pages, want %d in %d", query, len(ids), n, want, pages)
		}
	}
	link, _ := g.get("/users?$select=id&$top=5").Body["@odata.nextLink"].(string)
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, g.url+"/v1.0/users?") || u.Query().Get("$select") != "id" || u.Query().Get("$skiptoken") == "" {
		t.Errorf("next link %q", link)
	}
	if a := g.get("/users?$top=1000"); a.Status != http.StatusBadRequest || a.code() != "Request_UnsupportedQuery" {
		t.Errorf("$top=1000: %d %s", a.Status, a.Raw)
	}
	if a := g.get("/users?$skiptoken=nonsense"); a.code() != "Directory_ExpiredPageToken" {
		t.Errorf("bad token: %s", a.Raw)
	}
}

func TestAPageGoesOnWhereItWasThoughPeopleComeAndGo(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 30, Outsiders: -1, Disabled: -1})
	users := g.Users()
	first := g.get("/users?$top=10")
	if err := g.DeleteUser(users[9].ObjectID); err != nil { // the entry that the token names
		t.Fatal(err)
	}
	next, _ := first.Body["@odata.nextLink"].(string)
	if ids, _ := g.all(next, "id"); len(ids) != 20 || ids[0] != users[10].ObjectID {
		t.Errorf("%d ids, first %s", len(ids), ids[0])
	}
}

func TestSelectPicksPropertiesAndTheDefaultLeavesOutAccountEnabled(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 3})
	if u := g.get("/users").values()[0]; u["userPrincipalName"] == nil || len(u) != 11 {
		t.Errorf("default properties %v", u)
	} else if _, ok := u["accountEnabled"]; ok {
		t.Error("accountEnabled without $select")
	}
	a := g.get("/users?$select=id,accountEnabled")
	if u := a.values()[0]; len(u) != 2 || u["accountEnabled"] != true {
		t.Errorf("selected %v", u)
	}
	if c := a.Body["@odata.context"]; c != g.url+"/v1.0/$metadata#users(id,accountEnabled)" {
		t.Errorf("context %v", c)
	}
	if a := g.get("/users?$select=shoeSize"); a.Status != http.StatusBadRequest || a.code() != "BadRequest" {
		t.Errorf("unknown property: %d %s", a.Status, a.Raw)
	}
}

func TestFiltersFindPeopleAndGroups(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 50, Groups: 3})
	if _, err := g.AddUser(idpsim.User{UserPrincipalName: "dara.o'neill@contoso.example", Mail: "d@x.example"}); err != nil {
		t.Fatal(err)
	}
	us := g.Users()
	group := g.Groups()[0]
	for filter, want := range map[string]int{
		"/users?$filter=userPrincipalName eq '" + strings.ToUpper(us[0].UserPrincipalName) + "'":                        1,
		"/users?$filter=userPrincipalName eq 'dara.o''neill@contoso.example'":                                           1,
		"/users?$filter=mail eq 'd@x.example'":                                                                          1,
		"/users?$filter=userPrincipalName eq '" + us[0].UserPrincipalName + "' or mail eq 'd@x.example'":                2,
		"/users?$filter=id in ('" + us[0].ObjectID + "','" + us[1].ObjectID + "','nobody')":                             2,
		"/users?$filter=(id eq '" + us[0].ObjectID + "' or id eq '" + us[1].ObjectID + "') and accountEnabled eq false": 0,
		"/users?$filter=mail eq 'nobody@x.example'":                                                                     0,
		"/groups?$filter=displayName eq '" + url.QueryEscape(group.DisplayName) + "'":                                   1,
		"/groups?$filter=id eq '" + group.ObjectID + "'&$select=id":                                                     1,
		"/users?$filter=startswith(userPrincipalName,'dara.')":                                                          1,
	} {
		if got := len(g.get(filter).values()); got != want {
			t.Errorf("%s: %d found, want %d", filter, got, want)
		}
	}
	for _, bad := range []string{"mail is 'x'", "mail eq", "shoeSize eq '4'", "(mail eq 'x'"} {
		if a := g.get("/users?$filter=" + bad); a.Status != http.StatusBadRequest {
			t.Errorf("%q: %d", bad, a.Status)
		}
	}
}

func TestMembersAreDirectAndACastKeepsUsersOnly(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 40, Groups: 2})
	var holder string
	for _, group := range g.Groups() {
		for _, m := range g.Members(group.ObjectID) {
			if _, nested := g.Group(m); nested {
				holder = group.ObjectID
			}
		}
	}
	want := len(g.Members(holder))
	types, _ := g.all("/groups/"+holder+"/members?$select=id&$top=5", "@odata.type")
	if len(types) != want || !slices.Contains(types, "#microsoft.graph.group") || !slices.Contains(types, "#microsoft.graph.user") {
		t.Errorf("%d members of types %v, want %d", len(types), types, want)
	}
	for _, cast := range []string{"graph.user", "microsoft.graph.user"} {
		upns, _ := g.all("/groups/"+holder+"/members/"+cast+"?$select=userPrincipalName&$top=5", "userPrincipalName")
		if len(upns) != want-1 || slices.Contains(upns, "<nil>") {
			t.Errorf("%s: %d of %d", cast, len(upns), want-1)
		}
	}
	if all, _ := g.all("/groups/"+holder+"/transitiveMembers/graph.user", "id"); len(all) <= want-1 {
		t.Errorf("transitive: %d", len(all))
	}
}

func TestAssignmentsListGroupsUnexpandedAndAUserHasThoseOfTheirGroups(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 3, Members: 60, Groups: 5})
	sp := "/servicePrincipals/" + g.ServicePrincipalID()
	principals, pages := g.all(sp+"/appRoleAssignedTo?$top=4", "principalId")
	if len(principals) != len(g.Assignments()) || pages < 2 {
		t.Errorf("%d assignments in %d pages, want %d", len(principals), pages, len(g.Assignments()))
	}
	types, _ := g.all(sp+"/appRoleAssignedTo", "principalType")
	if n := len(types) - len(slices.DeleteFunc(types, func(s string) bool { return s == "Group" })); n != 5 {
		t.Errorf("%d groups", n)
	}
	for _, u := range g.Users() {
		path := "/users/" + url.PathEscape(u.UserPrincipalName) + "/appRoleAssignments?$count=true&$filter=resourceId eq " + g.ServicePrincipalID()
		a := g.get(path, "ConsistencyLevel", "eventual")
		want := len(g.Scope(u.ObjectID))
		if a.Body["@odata.count"] != float64(want) || len(a.values()) != want {
			t.Fatalf("%s: %s, want %d", u.UserPrincipalName, a.Raw, want)
		}
	}
	user := g.Users()[0].ObjectID
	if _, ok := g.get("/users/" + user + "/appRoleAssignments?$count=true").Body["@odata.count"]; ok {
		t.Error("a count without ConsistencyLevel")
	}
	group := g.DesiredTeams()[0].ObjectID
	if got := g.get("/groups/" + group + "/appRoleAssignments").values(); len(got) != 1 || got[0]["principalId"] != group {
		t.Errorf("group's own assignments %v", got)
	}
}

func TestUnknownObjectsAndRoutesAnswerGraphErrors(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 1})
	for _, path := range []string{"/users/nobody@x.example", "/groups/none", "/groups/none/members", "/servicePrincipals/none"} {
		a := g.get(path, "client-request-id", "abc")
		e, _ := a.Body["error"].(map[string]any)
		inner, _ := e["innerError"].(map[string]any)
		if a.Status != http.StatusNotFound || a.code() != "Request_ResourceNotFound" || e["message"] == "" ||
			inner["client-request-id"] != "abc" || inner["date"] == nil || inner["request-id"] != a.Header.Get("request-id") {
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
	if a := g.get("/teapots"); a.Status != http.StatusBadRequest || a.code() != "BadRequest" {
		t.Errorf("unknown route: %d %s", a.Status, a.Raw)
	}
}

func TestEveryRequestNeedsTheTenantsToken(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 1})
	for _, header := range []string{"", "Bearer ", "Bearer other", "Basic " + g.AccessToken()} {
		if a := g.get("/users", "Authorization", header); a.Status != http.StatusUnauthorized || a.code() != "InvalidAuthenticationToken" {
			t.Errorf("%q: %d %s", header, a.Status, a.Raw)
		}
	}
}

func TestTheTokenEndpointGivesTheTokenForTheRightSecret(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1})
	ask := func(tenant, secret string) (int, map[string]any) {
		form := url.Values{
			"grant_type": {"client_credentials"}, "client_id": {g.ClientID()}, "client_secret": {secret},
			"scope": {"https://graph.microsoft.com/.default"},
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/"+tenant+"/oauth2/v2.0/token",
			strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := g.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out map[string]any
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, out
	}
	if status, out := ask(g.TenantID(), g.ClientSecret()); status != http.StatusOK || out["access_token"] != g.AccessToken() {
		t.Errorf("%d %v", status, out)
	}
	if status, out := ask(g.TenantID(), "wrong"); status != http.StatusUnauthorized || out["error"] != "invalid_client" {
		t.Errorf("wrong secret: %d %v", status, out)
	}
	if status, _ := ask("elsewhere", g.ClientSecret()); status != http.StatusBadRequest {
		t.Errorf("other tenant: %d", status)
	}
}

func TestAMissingPermissionRefusesItsRoutesOnly(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 20, Groups: 2})
	group := g.DesiredTeams()[0].ObjectID
	routes := map[idpsim.Permission]string{
		idpsim.UserReadAll: "/users", idpsim.GroupMemberReadAll: "/groups/" + group + "/members",
		idpsim.ApplicationReadAll:     "/servicePrincipals/" + g.ServicePrincipalID() + "/appRoleAssignedTo",
		idpsim.SynchronizationReadAll: "/servicePrincipals/" + g.ServicePrincipalID() + "/synchronization/jobs",
		idpsim.AuditLogReadAll:        "/auditLogs/provisioning",
	}
	for denied := range routes {
		g.Deny(denied)
		for p, path := range routes {
			a := g.get(path)
			if refused := a.Status == http.StatusForbidden && a.code() == "Authorization_RequestDenied"; refused != (p == denied) {
				t.Errorf("without %s, %s: %d", denied, path, a.Status)
			}
		}
		g.Grant(denied)
	}
}

func TestABatchAnswersEachItemWithItsOwnStatus(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 5})
	g.Inject(idpsim.Fault{Path: "/users/*", Status: http.StatusTooManyRequests, RetryAfter: "3", Skip: 1, Count: 1})
	items := []map[string]any{
		{"id": "1", "method": "GET", "url": "/users/" + g.Users()[0].ObjectID},
		{"id": "2", "method": "GET", "url": "/users/" + g.Users()[1].ObjectID},
		{"id": "3", "method": "GET", "url": "/users/none"},
	}
	body, err := json.Marshal(map[string]any{"requests": items})
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := g.try(http.MethodPost, "/$batch", &zipped, "Content-Encoding", "gzip", "Content-Type", "application/json")
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	list, _ := a.Body["responses"].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		status, _ := m["status"].(float64)
		got = append(got, status)
	}
	if !slices.Equal(got, []float64{200, 429, 404}) {
		t.Errorf("statuses %v: %s", got, a.Raw)
	}
	many := `{"requests":[` + strings.Repeat(`{"id":"1","method":"GET","url":"/users"},`, 20) + `{"id":"2","method":"GET","url":"/users"}]}`
	if a, err := g.try(http.MethodPost, "/$batch", strings.NewReader(many)); err != nil || a.Status != http.StatusBadRequest {
		t.Errorf("21 items: %d %v", a.Status, err)
	}
}

func TestALargeDirectoryIsBuiltAndPaged(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 people")
	}
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 100_000, Groups: 100})
	if n := len(g.Desired()); n != 100_000 {
		t.Fatalf("%d people", n)
	}
	ids, pages := g.all("/users?$select=id&$top=999", "id")
	if len(ids) != 112_000 || pages != 113 {
		t.Errorf("%d people in %d pages", len(ids), pages)
	}
}
