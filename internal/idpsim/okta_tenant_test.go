package idpsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// okta is an Okta tenant behind a server, and a plain client for it.
type okta struct {
	*idpsim.OktaTenant
	t   *testing.T
	url string
}

func newOkta(t *testing.T, cfg idpsim.OktaConfig) *okta {
	t.Helper()
	tenant := idpsim.NewOkta(cfg)
	srv := httptest.NewServer(tenant)
	t.Cleanup(srv.Close)
	return &okta{OktaTenant: tenant, t: t, url: srv.URL}
}

type oktaAnswer struct {
	Status int
	Header http.Header
	Raw    []byte
}

func (a oktaAnswer) object() map[string]any {
	var out map[string]any
	_ = json.Unmarshal(a.Raw, &out)
	return out
}

func (a oktaAnswer) list() []map[string]any {
	var out []map[string]any
	_ = json.Unmarshal(a.Raw, &out)
	return out
}

func (a oktaAnswer) code() any { return a.object()["errorCode"] }

var linkHeader = regexp.MustCompile(`^<(.*)>; rel="(.*)"$`)

// link returns the URL of a Link header by its relation, or "".
func (a oktaAnswer) link(rel string) string {
	for _, l := range a.Header.Values("Link") {
		if m := linkHeader.FindStringSubmatch(l); m != nil && m[2] == rel {
			return m[1]
		}
	}
	return ""
}

// try sends a GET to an absolute URL or a path below /api/v1.
func (o *okta) try(path string) (oktaAnswer, error) {
	o.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = o.url + "/api/v1" + strings.ReplaceAll(path, " ", "%20")
	}
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS "+o.APIToken())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return oktaAnswer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return oktaAnswer{res.StatusCode, res.Header, raw}, err
}

func (o *okta) get(path string) oktaAnswer {
	o.t.Helper()
	a, err := o.try(path)
	if err != nil {
		o.t.Fatalf("GET %s: %v", path, err)
	}
	return a
}

// all follows next links and returns the ids of every entry.
func (o *okta) all(path string) (ids []string, pages int) {
	o.t.Helper()
	for path != "" {
		a := o.get(path)
		if a.Status != http.StatusOK {
			o.t.Fatalf("GET %s: %d %s", path, a.Status, a.Raw)
		}
		for _, v := range a.list() {
			ids = append(ids, fmt.Sprint(v["id"]))
		}
		pages++
		path = a.link("next")
	}
	return ids, pages
}

func (o *okta) app(rest string) string { return "/apps/" + o.AppID() + rest }

func (o *okta) must(errs ...error) {
	o.t.Helper()
	for _, err := range errs {
		if err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o *okta) person(login string) idpsim.OktaUser {
	o.t.Helper()
	u, err := o.AddUser(idpsim.OktaUser{Profile: idpsim.OktaProfile{Login: login, FirstName: "Ada", LastName: "Lovelace"}})
	o.must(err)
	return u
}

func (o *okta) team(name string) idpsim.OktaGroup {
	o.t.Helper()
	g, err := o.AddGroup(idpsim.OktaGroup{Name: name})
	o.must(err)
	return g
}

func text(body map[string]any, path ...string) string {
	for _, p := range path[:len(path)-1] {
		body, _ = body[p].(map[string]any)
	}
	return fmt.Sprint(body[path[len(path)-1]])
}

func TestTheSameSeedGivesTheSameOrg(t *testing.T) {
	cfg := idpsim.OktaConfig{Seed: 7, Members: 200, Groups: 12}
	a, b := idpsim.NewOkta(cfg), idpsim.NewOkta(cfg)
	if !slices.Equal(a.Users(), b.Users()) || !slices.Equal(a.AppUsers(), b.AppUsers()) || a.APIToken() != b.APIToken() {
		t.Error("two orgs of one seed differ")
	}
}

func TestNobodyIsInBothTenants(t *testing.T) {
	entra := idpsim.New(idpsim.Config{Seed: 1, Members: 300, Groups: 5})
	for _, u := range idpsim.NewOkta(idpsim.OktaConfig{Seed: 1, Members: 300, Groups: 5}).Users() {
		if _, found := entra.User(u.Profile.Login); found {
			t.Fatalf("%s is in both", u.Profile.Login)
		}
	}
}

func TestAnOrgHasThePeopleAndPushedGroupsAskedFor(t *testing.T) {
	for _, size := range []struct{ members, groups int }{{0, 0}, {1, 1}, {5, 0}, {200, 12}, {3000, 90}} {
		o := idpsim.NewOkta(idpsim.OktaConfig{Seed: 1, Members: size.members, Groups: size.groups})
		if p, g := len(o.Desired()), len(o.DesiredTeams()); p != size.members || g != size.groups {
			t.Errorf("%v: %d people and %d teams desired", size, p, g)
		}
	}
}

func TestAnOrgHoldsEveryKindOfDifference(t *testing.T) {
	o := idpsim.NewOkta(idpsim.OktaConfig{Seed: 2, Members: 200, Groups: 9})
	assigned, both := map[string]bool{}, 0
	for _, a := range o.AssignedGroups() {
		assigned[a.GroupID] = true
	}
	pushStatuses, strangers := map[idpsim.PushStatus]bool{}, 0
	for _, m := range o.PushMappings() {
		pushStatuses[m.Status] = true
		if assigned[m.SourceGroupID] {
			both++
		}
		for _, id := range o.Members(m.SourceGroupID) {
			if _, found := o.AppUser(id); !found {
				strangers++
			}
		}
	}
	if len(assigned) < 2 || both != 1 {
		t.Errorf("%d groups assigned, %d of them pushed as well", len(assigned), both)
	}
	if strangers == 0 || !pushStatuses[idpsim.PushInactive] {
		t.Errorf("%d members of pushed groups are no application users; mappings %v", strangers, pushStatuses)
	}
	statuses, appStatuses, differ, names := map[idpsim.OktaStatus]int{}, map[idpsim.AppStatus]int{}, 0, 0
	scopes := map[bool]int{}
	for _, a := range o.AppUsers() {
		u, _ := o.User(a.ID)
		statuses[u.Status]++
		appStatuses[a.Status]++
		scopes[a.Direct]++
		if a.UserName != u.Profile.Login {
			names++
		}
		if a.Profile.Email != u.Profile.Email || a.Profile.DisplayName != u.Profile.DisplayName {
			differ++
		}
	}
	if len(statuses) != 8 || len(appStatuses) != 4 || len(scopes) != 2 || differ == 0 || names == 0 {
		t.Errorf("statuses %v, of assignments %v, direct %v, %d profiles and %d names differ",
			statuses, appStatuses, scopes, differ, names)
	}
}

func TestEveryListIsPagedByLinkHeaders(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{Seed: 3, Members: 60, Groups: 12})
	group := o.DesiredTeams()[0].ObjectID
	members := o.Members(group)
	for path, want := range map[string]int{
		"/users?limit=7":                       len(o.Users()) - 1, // one is DEPROVISIONED
		"/groups?limit=7":                      len(o.Groups()),
		"/groups/" + group + "/users?limit=7":  len(members),
		"/users/" + members[0] + "/groups":     0,
		o.app("/users?limit=7&expand=user"):    len(o.AppUsers()),
		o.app("/groups?limit=2"):               len(o.AssignedGroups()),
		o.app("/group-push/mappings?limit=3"):  13,
		o.app("/users?limit=100000&expand=ab"): len(o.AppUsers()),
	} {
		ids, pages := o.all(path)
		distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
		if want > 0 && len(ids) != want || len(distinct) != len(ids) || len(ids) == 0 {
			t.Errorf("%s: %d entries on %d pages, want %d", path, len(ids), pages, want)
		}
		first := o.get(path)
		if self := first.link("self"); !strings.HasPrefix(self, o.url+"/api/v1/") {
			t.Errorf("%s: self link %q", path, self)
		}
		if next := first.link("next"); next != "" && !strings.HasPrefix(next, o.url+"/api/v1/") {
			t.Errorf("%s: next link %q", path, next)
		}
	}
	if n := len(newOkta(t, idpsim.OktaConfig{Members: 60, PageSize: 7}).get("/users").list()); n != 7 {
		t.Errorf("a page holds %d where PageSize is 7", n)
	}
	if a := o.get("/users?limit=x"); a.Status != http.StatusBadRequest || a.code() != "E0000001" {
		t.Errorf("limit=x: %d %s", a.Status, a.Raw)
	}
}

func TestOktaFiltersFindPeopleAndGroups(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{Seed: 5, Members: 100, Groups: 5})
	u := o.person("o'brien+\"x\"@initech.example")
	o.must(o.Suspend(o.Desired()[0].ObjectID))
	stamp := url.QueryEscape(u.LastUpdated.Add(-time.Second).Format(time.RFC3339))
	for query, want := range map[string]int{
		"filter=" + url.QueryEscape(`profile.login eq "O'Brien+\"x\"@initech.example"`): 1,
		`search=profile.email eq "nobody@x.example"`:                                    0,
		`filter=id eq "` + u.ID + `"`:                                                   1,
		`filter=status eq "SUSPENDED"`:                                                  2,
		`filter=status eq "DEPROVISIONED"`:                                              1,
		`filter=status eq "STAGED" or status eq "DEPROVISIONED"`:                        2,
		`filter=lastUpdated gt "` + stamp + `"`:                                         2,
		`search=lastUpdated gt "` + stamp + `" and status eq "ACTIVE"`:                  1,
		`q=nobodyhere`: 0,
	} {
		if a := o.get("/users?" + query); a.Status != http.StatusOK || len(a.list()) != want {
			t.Errorf("%s: %d, %d found, want %d", query, a.Status, len(a.list()), want)
		}
	}
	name := o.DesiredTeams()[0].DisplayName
	if got := o.get(`/groups?search=profile.name eq "` + name + `"`).list(); len(got) != 1 || text(got[0], "profile", "name") != name {
		t.Errorf("groups by name %q: %v", name, got)
	}
	for _, path := range []string{`/users?filter=shoeSize eq "4"`, `/users?filter=status eq "A`, `/groups?search=x`} {
		if a := o.get(path); a.Status != http.StatusBadRequest || a.code() != "E0000031" {
			t.Errorf("%s: %d %v", path, a.Status, a.code())
		}
	}
	for _, key := range []string{u.ID, url.PathEscape(u.Profile.Login)} {
		if got := o.get("/users/" + key).object(); got["id"] != u.ID {
			t.Errorf("user %s: %v", key, got)
		}
	}
}

func TestPushMappingsTellTheirStatusUnlessRefused(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{})
	a, b, c := o.team("A"), o.team("B"), o.team("C")
	o.must(o.PushGroup(a.ID, b.ID, c.ID), o.SetPushStatus(b.ID, idpsim.PushInactive, ""),
		o.SetPushStatus(c.ID, idpsim.PushError, "no answer"))
	mappings := o.get(o.app("/group-push/mappings")).list()
	got := map[string]string{}
	for _, m := range mappings {
		got[text(m, "sourceGroupId")] = text(m, "status")
		if one := o.get(o.app("/group-push/mappings/" + text(m, "mappingId"))).object(); text(one, "sourceGroupId") != text(m, "sourceGroupId") {
			t.Errorf("mapping %v, by itself %v", m, one)
		}
	}
	if got[a.ID] != "ACTIVE" || got[b.ID] != "INACTIVE" || got[c.ID] != "ERROR" {
		t.Errorf("mappings %v", got)
	}
	if active := o.get(o.app("/group-push/mappings?status=ACTIVE")).list(); len(active) != 1 {
		t.Errorf("%d mappings are active", len(active))
	}
	for status, code := range map[int]string{http.StatusForbidden: "E0000006", http.StatusNotFound: "E0000007"} {
		o.RefusePushMappings(status)
		if a := o.get(o.app("/group-push/mappings")); a.Status != status || a.code() != code {
			t.Errorf("refused with %d: %d %v", status, a.Status, a.code())
		}
	}
	o.RefusePushMappings(0)
	o.must(o.UnpushGroup(a.ID))
	if n := len(o.get(o.app("/group-push/mappings")).list()); n != 2 {
		t.Errorf("%d mappings after one was deleted", n)
	}
}

func TestEveryAnswerTellsTheRateLimit(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 50, 0, time.UTC)
	o := newOkta(t, idpsim.OktaConfig{RateLimit: 2, Now: func() time.Time { return now }})
	for i, want := range []struct {
		status    int
		remaining string
	}{{200, "1"}, {200, "0"}, {429, "0"}} {
		a := o.get("/users")
		reset, _ := strconv.ParseInt(a.Header.Get("X-Rate-Limit-Reset"), 10, 64)
		if a.Status != want.status || a.Header.Get("X-Rate-Limit-Remaining") != want.remaining ||
			a.Header.Get("X-Rate-Limit-Limit") != "2" || reset != now.Unix()+10 || a.Header.Get("Date") != now.Format(http.TimeFormat) {
			t.Errorf("request %d: %d %v", i, a.Status, a.Header)
		}
	}
	now = now.Add(10 * time.Second)
	if a := o.get("/users"); a.Status != http.StatusOK {
		t.Errorf("in the next minute: %d", a.Status)
	}
}

func TestRefusalsHaveOktasErrorBody(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{Seed: 1, Members: 5})
	o.Deny(idpsim.OktaAppsRead)
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		o.app("/users"): {403, "E0000006"}, "/users/nobody": {404, "E0000007"}, "/groups/g/users": {404, "E0000007"},
		"/nothing": {404, "E0000007"},
	} {
		a := o.get(path)
		body := a.object()
		causes, ok := body["errorCauses"].([]any)
		if a.Status != want.status || body["errorCode"] != want.code || body["errorLink"] != want.code || !ok ||
			len(causes) != 0 || text(body, "errorId") == "" || text(body, "errorSummary") == "" {
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
	o.Grant(idpsim.OktaAppsRead)
	if a := o.get("/apps/other/users"); a.Status != http.StatusNotFound {
		t.Errorf("another application: %d", a.Status)
	}
	for _, header := range []string{"", "SSWS wrong", "Bearer " + o.APIToken()} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, o.url+"/api/v1/users", nil)
		req.Header.Set("Authorization", header)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(raw), "E0000011") {
			t.Errorf("%q: %d %s", header, res.StatusCode, raw)
		}
	}
}
