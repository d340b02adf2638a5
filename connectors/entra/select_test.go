package entra_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/mapping"
)

// What Graph answers is of the shape that its documentation gives for "Get a user" and the "user resource type".
func TestOnlyWhatTheMappingNeedsIsSelected(t *testing.T) {
	m := mapping.Entra()
	for target, source := range map[string]string{
		"title": `= Join(" ", onPremisesExtensionAttributes.extensionAttribute3, employeeType)`, "nickName": "onPremisesExtensionAttributes.extensionAttribute12",
	} {
		if err := m.Write(target, source); err != nil {
			t.Fatal(err)
		}
	}
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/appRoleAssignments") {
			_, _ = w.Write([]byte(`{"value":[]}`))
			return
		}
		asked = r.URL.Query().Get("$select")
		_, _ = w.Write([]byte(`{"id":"11111111-1111-1111-1111-111111111111","accountEnabled":true,"userPrincipalName":"a@x.com","employeeType":"clerk",
			"onPremisesExtensionAttributes":{"extensionAttribute3":"third","extensionAttribute12":"twelfth"}}`))
	}))
	t.Cleanup(srv.Close)
	c, err := entra.Open(entra.Config{
		GraphURL: srv.URL, AccessToken: "x", ServicePrincipalID: "22222222-2222-2222-2222-222222222222", Attributes: m.Sources(),
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Person(t.Context(), "11111111-1111-1111-1111-111111111111")
	if err != nil || p.User == nil {
		t.Fatalf("got %+v, %v", p, err)
	}
	got := strings.Split(asked, ",")
	slices.Sort(got)
	want := "accountEnabled displayName employeeType givenName id mail onPremisesExtensionAttributes surname userPrincipalName"
	if strings.Join(got, " ") != want {
		t.Errorf("asked for %v", got)
	}
	if w := m.ToMember(p.User, 0); w.Values["title"] != "third clerk" || w.Values["nickName"] != "twelfth" {
		t.Errorf("got %v", w.Values)
	}
}

func TestEveryAttributeThatAMappingMayReadIsKnown(t *testing.T) {
	names := slices.DeleteFunc(mapping.EntraSources(), func(n string) bool { return n == mapping.ObjectID })
	cfg := entra.Config{GraphURL: "http://127.0.0.1:1", AccessToken: "x", ServicePrincipalID: "22222222-2222-2222-2222-222222222222", Attributes: names}
	if _, err := entra.Open(cfg, nil, nil); err != nil {
		t.Error(err)
	}
}

// The answer is of the shape that Graph's documentation gives in "Add custom data to resources by using extensions",
// "Directory extensions" and "Schema extensions".
func TestExtensionsAreSelectedAndRead(t *testing.T) {
	const directory = "extension_b7d8e648520f41d3b9c0fdeb91768a0a_"
	names := []string{"userPrincipalName", directory + "jobGroupTracker", directory + "rank", directory + "onCall", directory + "skills",
		directory + "missing", "extkvbmkofy_courses.courseName", "extkvbmkofy_courses.courseId", "extkvbmkofy_courses.nothing"}
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/appRoleAssignments") {
			_, _ = w.Write([]byte(`{"value":[]}`))
			return
		}
		asked = r.URL.Query().Get("$select")
		_, _ = w.Write([]byte(`{"id":"11111111-1111-1111-1111-111111111111","accountEnabled":true,"userPrincipalName":"a@x.com",
			"` + directory + `jobGroupTracker":"JobGroupN","` + directory + `rank":3,"` + directory + `onCall":true,
			"` + directory + `skills":["swim","run"],"` + directory + `missing":null,
			"extkvbmkofy_courses":{"courseName":"New Managers","courseId":1,"nothing":null}}`))
	}))
	t.Cleanup(srv.Close)
	cfg := entra.Config{GraphURL: srv.URL, AccessToken: "x", ServicePrincipalID: "22222222-2222-2222-2222-222222222222", Attributes: names}
	c, err := entra.Open(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Person(t.Context(), "11111111-1111-1111-1111-111111111111")
	if err != nil || p.User == nil {
		t.Fatalf("got %+v, %v", p, err)
	}
	got := strings.Split(asked, ",")
	slices.Sort(got)
	want := []string{"accountEnabled", "extkvbmkofy_courses", "id", "userPrincipalName"}
	for _, name := range []string{"jobGroupTracker", "rank", "onCall", "skills", "missing"} {
		want = append(want, directory+name)
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("asked for %v", got)
	}
	for name, value := range map[string]string{
		directory + "jobGroupTracker": "JobGroupN", directory + "rank": "3", directory + "onCall": "true", directory + "skills": "swim,run",
		"extkvbmkofy_courses.courseName": "New Managers", "extkvbmkofy_courses.courseId": "1",
	} {
		if p.User.Attributes[name] != value {
			t.Errorf("%s is %q", name, p.User.Attributes[name])
		}
	}
	if len(p.User.Attributes) != 7 {
		t.Errorf("has %v", p.User.Attributes)
	}
	cfg.Attributes = []string{"extension_1_x"}
	if _, err := entra.Open(cfg, nil, nil); err == nil {
		t.Error("what is no extension's name is taken")
	}
}
