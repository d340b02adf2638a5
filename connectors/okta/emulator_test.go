package okta

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// emulated is an org of the npm package emulate (0.12.2, service okta), which others wrote from Okta's documentation. It
// has users, groups, their members and application users, and neither pages, a single application user, push mappings, the
// system log nor search (the parameters q, search and limit are left aside); PUT stands where Okta has POST.
type emulated struct {
	t   *testing.T
	url string
}

// emulator returns the org that ROSTERD_OKTA_EMULATOR names, or skips the test.
func emulator(t *testing.T) *emulated {
	t.Helper()
	url := strings.TrimSuffix(os.Getenv("ROSTERD_OKTA_EMULATOR"), "/")
	if url == "" {
		t.Skip("optional: run `npx emulate@0.12.2 start --service okta --port 4190` (Node 22) and set ROSTERD_OKTA_EMULATOR=http://localhost:4190")
	}
	return &emulated{t, url}
}

// send sends a request and returns the id in the answer.
func (e *emulated) send(method, path, body string) string {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS emulated")
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		e.t.Fatalf("ROSTERD_OKTA_EMULATOR: %v", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		e.t.Fatalf("%s %s: %d %v %s", method, path, res.StatusCode, err, raw)
	}
	var one struct{ ID string }
	if bytes.HasPrefix(raw, []byte("{")) {
		if err := json.Unmarshal(raw, &one); err != nil {
			e.t.Fatal(err)
		}
	}
	return one.ID
}

// person adds a user whose login begins with a name, made unique by the clock as the emulator outlives a run.
func (e *emulated) person(name string) (id, login string) {
	e.t.Helper()
	login = fmt.Sprintf("%s.%d@example.com", name, time.Now().UnixNano())
	id = e.send("POST", "/users?activate=true",
		fmt.Sprintf(`{"profile":{"login":%[1]q,"email":%[1]q,"firstName":%[2]q,"lastName":"Emulated"}}`, login, name))
	return id, login
}

func (e *emulated) app() string {
	e.t.Helper()
	return e.send("POST", "/apps", `{"name":"rosterd","label":"rosterd","signOnMode":"OPENID_CONNECT"}`)
}

func TestAgainstAnEmulatorOfOthers(t *testing.T) {
	e := emulator(t)
	app := e.app()
	in, login := e.person("ada")
	out, other := e.person("grace")
	group := e.send("POST", "/groups", fmt.Sprintf(`{"profile":{"name":"Engineers %s"}}`, in))
	e.send("PUT", "/groups/"+group+"/users/"+in, "")
	e.send("PUT", "/groups/"+group+"/users/"+out, "")
	e.send("PUT", "/apps/"+app+"/users/"+in, "{}")
	c, err := Open(Config{OrgURL: e.url, AppID: app, APIToken: "emulated"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()

	for id, want := range map[string]string{in: login, out: other} {
		p, err := c.Person(ctx, id) // read as the org's user, as the emulator knows no single application user
		if err != nil || p.User == nil || p.User.ObjectID != id || p.User.Attributes[attrUserName] != want || !p.User.Enabled {
			t.Errorf("Person: %+v %+v, %v", p, p.User, err)
		}
	}
	if p, err := c.Person(ctx, "00unobody"); err != nil || p.User != nil {
		t.Errorf("Person of nobody: %+v, %v", p, err)
	}
	want := []string{in, out}
	slices.Sort(want)
	if got, err := c.GroupMembers(ctx, group); err != nil || !slices.Equal(got, want) {
		t.Errorf("GroupMembers: %v, %v, want %v", got, err, want)
	}
	if got, err := c.GroupMembers(ctx, "00gnothing"); connectors.FaultOf(err) != connectors.NotFound {
		t.Errorf("GroupMembers of no group: %v, %v", got, err)
	}
	if got, err := c.GroupsOf(ctx, in); err != nil || !slices.Contains(got, group) {
		t.Errorf("GroupsOf: %v, %v", got, err)
	}
	// What the emulator leaves out is said, and nobody is taken for enabled or gone by it: application users have no status,
	// the org's users aren't found by attribute, and there are no push mappings.
	if got, err := c.FindUsers(ctx, login, ""); connectors.FaultOf(err) != connectors.MissingPermission {
		t.Errorf("FindUsers of an application user without a status: %+v, %v", got, err)
	}
	empty, err := Open(Config{OrgURL: e.url, AppID: e.app(), APIToken: "emulated"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := empty.FindUsers(ctx, other, ""); err != nil || len(got) != 0 {
		t.Errorf("FindUsers of somebody whom its search does not find: %+v, %v", got, err)
	}
	if got, err := c.Team(ctx, group); err == nil {
		t.Errorf("Team, without push mappings: %+v", got)
	}
	var whole collected
	err = c.Pull(ctx, &whole)
	t.Logf("Pull: %v, lists read whole: %v", err, whole)
	if len(whole) > 0 {
		t.Errorf("read whole: %v", whole)
	}
}

// collected is a sink that keeps which lists were read whole.
type collected []connectors.CollectionKind

func (*collected) Stamp(context.Context) (connectors.Stamp, error)                    { return 0, nil }
func (*collected) Users(context.Context, connectors.Stamp, []connectors.User) error   { return nil }
func (*collected) Groups(context.Context, connectors.Stamp, []connectors.Group) error { return nil }
func (*collected) Members(context.Context, connectors.Stamp, string, []string) error  { return nil }
func (w *collected) Collection(_ context.Context, c connectors.Collection) error {
	if c.Whole {
		*w = append(*w, c.Kind)
	}
	return nil
}
