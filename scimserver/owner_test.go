package scimserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

func TestOrganisationsSeeNothingOfEachOther(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		g := s.group("Eng", ada)
		other, _ := s.newToken(s.newOrg("other"), "idp", "")
		as := func(method, path, body string) reply {
			return s.send(request{method: method, path: path, body: body, token: other})
		}
		for _, path := range []string{"/Users/" + ada, "/Groups/" + g} {
			put := `{"userName":"x@x.com","displayName":"x"}`
			for method, body := range map[string]string{"GET": "", "DELETE": "", "PUT": put, "PATCH": patch(`{"op":"replace","path":"displayName","value":"x"}`)} {
				if r := as(method, path, body); r.status != http.StatusNotFound {
					s.Errorf("%s %s by another organisation: %d %s", method, path, r.status, r.raw)
				}
			}
		}
		for _, path := range []string{"/Users", "/Groups", "/Users" + where(`userName eq "ada@x.com"`), "/Groups" + where(`members eq "`+ada+`"`)} {
			if r := as("GET", path, ""); r.body["totalResults"] != 0.0 {
				s.Errorf("GET %s by another organisation: %s", path, r.raw)
			}
		}
		for _, member := range []string{ada, g} {
			r := as("POST", "/Groups", `{"displayName":"Spy","members":[{"value":"`+member+`"}]}`)
			if members, _ := r.body["members"].([]any); r.status != http.StatusCreated || len(members) != 0 {
				s.Errorf("another organisation's member in a group: %d %s", r.status, r.raw)
			}
			if r := as("GET", "/Groups/"+r.id(), ""); strings.Contains(string(r.raw), member) {
				s.Errorf("another organisation's member, read back: %s", r.raw)
			}
			s.must(http.StatusOK, "PATCH", "/Users/"+ada, patch(`{"op":"replace","path":"externalId","value":"e1"}`))
			s.must(http.StatusOK, "PATCH", "/Users/"+ada, patch(`{"op":"remove","path":"externalId"}`))
		}
		if r := as("POST", "/Users", `{"userName":"ada@x.com"}`); r.status != http.StatusCreated {
			s.Errorf("the same userName in another organisation: %d %s", r.status, r.raw)
		}
		if r := s.must(http.StatusOK, "GET", "/Users/"+ada, ""); r.text("userName") != "ada@x.com" || r.at("meta/version") != `W/"5"` {
			s.Errorf("afterwards: %s", r.raw)
		}
	})
}

func TestAConnectionsTokenSeesItsOwnAndWhatIsUnclaimed(t *testing.T) {
	each(t, func(s *service) {
		a, _ := s.newToken(s.org, "a", s.newConnection(s.org, "entra"))
		b, _ := s.newToken(s.org, "b", s.newConnection(s.org, "okta"))
		by := func(token, method, path, body string) reply {
			return s.send(request{method: method, path: path, body: body, token: token})
		}
		free := s.user("free@x.com")
		mine := by(a, "POST", "/Users", `{"userName":"ada@x.com"}`).id()
		if r := by(b, "GET", "/Users/"+mine, ""); r.status != http.StatusNotFound {
			s.Errorf("another connection's member: %d %s", r.status, r.raw)
		}
		if got := by(b, "GET", "/Users", "").resources(); !slices.Equal(got, []string{free}) {
			s.Errorf("b lists %v", got)
		}
		before := len(s.log(s.org))
		clash := by(b, "POST", "/Users", `{"userName":"ADA@x.com"}`)
		if clash.status != http.StatusConflict || clash.text("scimType") != "uniqueness" || strings.Contains(string(clash.raw), "entra") {
			s.Errorf("a clash: %d %s, want a 409 that doesn't name the owner", clash.status, clash.raw)
		}
		if rows := s.log(s.org)[before:]; len(rows) != 1 || !strings.Contains(rows[0].Detail, "connection entra") || rows[0].TokenName != "b" {
			s.Errorf("the clash is logged as %+v, want the owner named", rows)
		}
		// The first write claims what is unclaimed.
		if r := by(b, "PATCH", "/Users/"+free, patch(`{"op":"replace","path":"title","value":"x"}`)); r.status != http.StatusOK {
			s.Errorf("a write to an unclaimed member: %d %s", r.status, r.raw)
		}
		if r := by(a, "GET", "/Users/"+free, ""); r.status != http.StatusNotFound {
			s.Errorf("claimed by b, yet a reads: %d %s", r.status, r.raw)
		}
		if got := s.must(http.StatusOK, "GET", "/Users", "").resources(); len(got) != 2 {
			s.Errorf("an unbound token sees %v", got)
		}
	})
}

func TestUsersArrivePendingByTheTokenAndTheRequestThatMadeThem(t *testing.T) {
	each(t, func(s *service) {
		r := s.must(http.StatusCreated, "POST", "/Users", entraUser)
		all, _, err := s.db.Members(context.Background(), s.org, store.List{})
		if err != nil || len(all) != 1 || all[0].Status != roster.Pending || all[0].Source != roster.SourceSCIM {
			s.Fatalf("stored %+v %v", all, err)
		}
		events, _, err := s.db.Events(context.Background(), s.org, store.List{})
		if err != nil {
			s.Fatal(err)
		}
		e := events[len(events)-1]
		rows := s.log(s.org)
		if e.Type != "member.created" || e.Actor.Kind != roster.ActorToken || e.Actor.Name != "idp" || e.RequestID == "" ||
			e.RequestID != r.header.Get("X-Request-Id") || len(rows) != 1 || rows[0].ID != e.RequestID {
			s.Errorf("event %+v, request %q, logged %+v", e, r.header.Get("X-Request-Id"), rows)
		}
	})
}

func TestComingBack(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second string
		same          bool
	}{
		"the same externalId":       {`{"userName":"ada@x.com","externalId":"1"}`, `{"userName":"ADA@x.com","externalId":"1"}`, true},
		"no externalId on either":   {`{"userName":"ada@x.com"}`, `{"userName":"ada@x.com"}`, true},
		"another externalId":        {`{"userName":"ada@x.com","externalId":"1"}`, `{"userName":"ada@x.com","externalId":"2"}`, false},
		"an externalId on one only": {`{"userName":"ada@x.com"}`, `{"userName":"ada@x.com","externalId":"1"}`, false},
		"another userName":          {`{"userName":"ada@x.com","externalId":"1"}`, `{"userName":"eve@x.com","externalId":"1"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(s *service) {
				id := s.must(http.StatusCreated, "POST", "/Users", tc.first).id()
				g := s.group("Eng", id)
				s.must(http.StatusNoContent, "DELETE", "/Users/"+id, "")
				s.must(http.StatusNotFound, "GET", "/Users/"+id, "")
				s.must(http.StatusNotFound, "DELETE", "/Users/"+id, "")
				again := s.must(http.StatusCreated, "POST", "/Users", tc.second)
				if (again.id() == id) != tc.same {
					s.Errorf("deleted %s, created %s, want the same: %t", id, again.id(), tc.same)
				}
				if got := s.members(g); (len(got) == 1) != tc.same {
					s.Errorf("memberships afterwards: %v", got)
				}
			})
		})
	}
}

func TestAGroupThatComesBackAnswersWithAllItsMembers(t *testing.T) {
	each(t, func(s *service) {
		ada, bob := s.user("ada@x.com"), s.user("bob@x.com")
		body := func(member string) string {
			return `{"displayName":"Eng","externalId":"o1","members":[{"value":"` + member + `"}]}`
		}
		g := s.must(http.StatusCreated, "POST", "/Groups", body(ada)).id()
		if r := s.must(http.StatusConflict, "POST", "/Groups", body(bob)); r.text("scimType") != "uniqueness" {
			s.Errorf("the externalId again: %s", r.raw)
		}
		s.must(http.StatusNoContent, "DELETE", "/Groups/"+g, "")
		back := s.must(http.StatusCreated, "POST", "/Groups", body(bob))
		list, _ := json.Marshal(back.body["members"])
		if back.id() != g || !strings.Contains(string(list), ada) || !strings.Contains(string(list), bob) || back.header.Get("Location") == "" {
			s.Errorf("came back as %s", back.raw)
		}
	})
}

func TestTheLastOwnerIsNeverDeprovisioned(t *testing.T) {
	each(t, func(s *service) {
		c := s.newConnection(s.org, "entra")
		owner := s.commit(s.org, roster.MemberInvite{Email: "owner@x.com", Role: roster.RoleOwner})[0].ID
		s.commit(s.org, roster.MemberAdopt{ID: owner, Connection: c})
		for _, r := range []reply{
			s.do("PATCH", "/Users/"+owner, patch(`{"op":"replace","path":"active","value":false}`)), s.do("DELETE", "/Users/"+owner, ""),
			s.do("PUT", "/Users/"+owner, `{"userName":"owner@x.com","active":false}`), s.do("PATCH", "/Users/"+owner, patch(`{"op":"Replace","path":"active","value":"False"}`)),
		} {
			if r.status != http.StatusForbidden || !strings.Contains(r.text("detail"), "last owner") {
				s.Errorf("%d %s", r.status, r.raw)
			}
		}
		if r, got := s.bulk(operations(`{"method":"DELETE","path":"/Users/` + owner + `"}`)); !slices.Equal(got, []string{"DELETE 403"}) {
			s.Errorf("in bulk: %s", r.raw)
		}
	})
}

func TestALocalMemberIsHiddenAndInTheWay(t *testing.T) {
	each(t, func(s *service) {
		local := s.commit(s.org, roster.MemberInvite{Email: "lea@x.com", Role: roster.RoleMember})[0].ID
		s.must(http.StatusNotFound, "GET", "/Users/"+local, "")
		if r := s.must(http.StatusOK, "GET", "/Users"+where(`userName eq "lea@x.com"`), ""); r.body["totalResults"] != 0.0 {
			s.Errorf("found: %s", r.raw)
		}
		if r := s.must(http.StatusConflict, "POST", "/Users", `{"userName":"lea@x.com"}`); !strings.Contains(r.text("detail"), "members adopt") {
			s.Errorf("the way out is not named: %s", r.raw)
		}
	})
}

func TestAConnectionsTokenNeitherSeesNorRemovesAnothersMemberOfAnUnclaimedTeam(t *testing.T) {
	each(t, func(s *service) {
		a, _ := s.newToken(s.org, "a", s.newConnection(s.org, "entra"))
		b, _ := s.newToken(s.org, "b", s.newConnection(s.org, "okta"))
		by := func(token, method, path, body string) reply {
			return s.send(request{method: method, path: path, body: body, token: token})
		}
		alice := by(a, "POST", "/Users", `{"userName":"alice@x.com"}`).id()
		bob := by(b, "POST", "/Users", `{"userName":"bob@x.com"}`).id()
		g := s.group("Eng", alice, bob)
		if r := by(a, "GET", "/Groups/"+g, ""); !strings.Contains(string(r.raw), alice) || strings.Contains(string(r.raw), bob) {
			s.Errorf("a sees %s", r.raw)
		}
		if r := by(a, "GET", "/Groups"+where(`members eq "`+bob+`"`), ""); r.body["totalResults"] != 0.0 {
			s.Errorf("a finds the group by another's member: %s", r.raw)
		}
		if r := by(a, "PUT", "/Groups/"+g, `{"displayName":"Eng","members":[]}`); r.status != http.StatusOK {
			s.Fatalf("PUT: %d %s", r.status, r.raw)
		}
		if r := s.must(http.StatusOK, "GET", "/Groups/"+g, ""); strings.Contains(string(r.raw), alice) || !strings.Contains(string(r.raw), bob) {
			s.Errorf("after a's PUT of nobody: %s", r.raw)
		}
	})
}
