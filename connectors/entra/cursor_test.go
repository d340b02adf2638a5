package entra_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestChangesThatCannotBeRead: none of them is passed over, as the cursor would leave it behind.
func TestChangesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"members no list":        round(object{"id": id(9), "members@delta": object{}}),
		"a member no object":     round(object{"id": id(9), "members@delta": []string{"x"}}),
		"a member without id":    round(members(9, object{"@odata.type": "#microsoft.graph.user"})),
		"an entry without id":    round(object{"displayName": "x"}),
		"an entry's id no GUID":  round(object{"id": "x"}),
		"an entry null":          one(object{"value": []any{nil}, "@odata.deltaLink": fakeURL}),
		"no list":                one(object{"@odata.deltaLink": fakeURL}),
		"no link":                one(object{"value": []object{}}),
		"a link elsewhere":       one(object{"value": []object{}, "@odata.deltaLink": "https://evil.example/v1.0/groups/delta()"}),
		"a next link elsewhere":  list("https://evil.example/v1.0/groups/delta()", nil),
		"a next link to itself":  pageOf(changedGroups, "self"),
		"an answer of no sense":  reply(http.StatusOK, `[`),
		"an error of the server": reply(http.StatusInternalServerError, ``),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, cursor := openDelta(t, map[string]http.HandlerFunc{
				assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): one(groupOf(9)), changedGroups: answer,
				changedGroups + "#self": pageOf(changedGroups, "self"),
			})
			r := &connectortest.DeltaRecorder{GroupsKnown: known(9)}
			if next, err := c.Delta(t.Context(), connectors.Since{Cursor: cursor}, r); err == nil || next != "" {
				t.Errorf("Delta = %q, %v, want an error", next, err)
			}
		})
	}
}

// TestLostCursors: both shapes in which Graph says so, at any page; and cursors that are of no use any more.
func TestLostCursors(t *testing.T) {
	t.Parallel()
	gone := reply(http.StatusGone, `{"error":{"code":"resyncRequired","message":"Resync required."}}`)
	notFound := reply(http.StatusBadRequest, `{"error":{"code":"SyncStateNotFound","message":"The sync state generation is not found."}}`)
	for name, routes := range map[string]map[string]http.HandlerFunc{
		"of users, gone":          {changedUsers: gone},
		"of users, not found":     {changedUsers: notFound},
		"of users, without words": {changedUsers: reply(http.StatusGone, ``)},
		"of groups, on page two":  {changedGroups: pageOf(changedGroups, "a"), changedGroups + "#a": notFound},
		"of groups, gone":         {changedGroups: gone},
	} {
		c, _, cursor := openDelta(t, routes)
		next, err := c.Delta(t.Context(), connectors.Since{Cursor: cursor}, &connectortest.DeltaRecorder{})
		var e *connectors.Error
		if !errors.As(err, &e) || e.Fault != connectors.LostCursor || e.Fix == "" || next != "" {
			t.Errorf("%s: %q, %v", name, next, err)
		}
	}
	c, f, cursor := openDelta(t, nil)
	other := strings.ReplaceAll(cursor, "127.0.0.1:8099", "evil.example")
	fewer := strings.Replace(cursor, ",department", "", 1)
	for _, bad := range []string{"", "{}", "null", "[]", "x", other, fewer} {
		_, err := c.Delta(t.Context(), connectors.Since{Cursor: bad}, &connectortest.DeltaRecorder{})
		if bad == cursor || connectors.FaultOf(err) != connectors.LostCursor || len(f.requests("/")) > 0 {
			t.Errorf("from %q: %v after %d requests", bad, err, len(f.requests("/")))
		}
	}
}

// TestNoDelta: a Graph that has none is told from one that lost a cursor.
func TestNoDelta(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 405, 501} {
		for _, path := range []string{changedUsers, changedGroups} {
			c, f := newFake(t, map[string]http.HandlerFunc{changedUsers: round(), changedGroups: round()})
			f.routes[path] = reply(status, `{"error":{"code":"BadRequest","message":"Resource not found for the segment 'delta'."}}`)
			cursor, err := c.Cursor(t.Context())
			if err == nil || cursor != "" || connectors.FaultOf(err) == connectors.LostCursor {
				t.Errorf("Cursor where %s is %d = %q, %v", path, status, cursor, err)
			}
		}
	}
}

// TestCursorStandsForNow: it begins with nothing, is told of every attribute that is read, and leads on from link to link.
func TestCursorStandsForNow(t *testing.T) {
	t.Parallel()
	c, f := newFake(t, map[string]http.HandlerFunc{changedUsers: round(), changedGroups: round()})
	cursor, err := c.Cursor(t.Context())
	must(t, err)
	for path, want := range map[string][]string{
		changedUsers:  {"id", "accountEnabled", "userPrincipalName", "mail", "department"},
		changedGroups: {"id", "displayName", "members"},
	} {
		q := f.requests(path)[0].URL.Query()
		for _, property := range want {
			if !slices.Contains(strings.Split(q.Get("$select"), ","), property) || q.Get("$deltatoken") != "latest" {
				t.Errorf("%s was asked for with %v, want %s in it, and the latest", path, q, property)
			}
		}
	}
	var links map[string]string
	must(t, json.Unmarshal([]byte(cursor), &links))
	if links["users"] != fakeURL+"/v1.0/users/delta()?$deltatoken=next" {
		t.Errorf("the cursor is %s", cursor)
	}
	follow(t, c, &connectortest.DeltaRecorder{}, connectors.Since{Cursor: cursor})
	if q := f.requests(changedUsers)[1].URL.Query(); q.Get("$deltatoken") != "next" || q.Has("$select") {
		t.Errorf("the delta was asked for with %v", q)
	}
}

// TestADeltaThatIsCutShort: a page without its next link is no end, and nothing is sent to where a link should not lead.
func TestADeltaThatIsCutShort(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was sent there with Authorization %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	sim := idpsim.New(idpsim.Config{Seed: 1, Members: 40, Groups: 3, PageSize: 5})
	s := &tenant{Tenant: sim, url: serve(t, sim)}
	c := s.Open(t, connectortest.Access{}).(*entra.Connector)
	cursor, err := c.Cursor(t.Context())
	must(t, err)
	for _, u := range sim.Users() {
		must(t, sim.UpdateUser(u.ObjectID, func(u *idpsim.User) { u.Department = "Moved" }))
	}
	for name, fault := range map[string]idpsim.Fault{
		"next link missing":   {Path: changedUsers, Skip: 1, DropNextLink: true},
		"next link elsewhere": {Path: changedUsers, NextLink: other.URL + "/v1.0/users/delta()?$skiptoken=x"},
	} {
		remove := sim.Inject(fault)
		if next, err := c.Delta(t.Context(), connectors.Since{Cursor: cursor}, &connectortest.DeltaRecorder{}); err == nil || next != "" {
			t.Errorf("%s: %q, %v", name, next, err)
		}
		remove()
	}
}
