package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func userNames(members []client.Member) string {
	names := make([]string, len(members))
	for i := range members {
		names[i] = members[i].UserName
	}
	return strings.Join(names, " ")
}

func TestMembersAndTeams(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		entra, okta := b.connection("entra", "t1"), b.connection("okta", "t2")
		ada, bob := b.push(entra, "ada", "ada@example.com"), b.push(okta, "bob", "bob@example.com")
		b.push("", "cy", "cy@example.com")
		push := roster.Cause{By: roster.ByPush, Connection: entra, Actor: roster.Actor{Kind: roster.ActorToken}}
		team := b.commit(push, roster.TeamCreate{DisplayName: "Engineers", ExternalID: "g1", Members: []string{ada.ID}})[0].Team
		b.commit(roster.Cause{By: roster.ByPush}, roster.TeamEdit{ID: team.ID, Add: []string{bob.ID}})
		gone := b.commit(push, roster.TeamCreate{DisplayName: "Gone"})[0].Team
		b.commit(push, roster.TeamDelete{ID: gone.ID})

		invited, err := b.local.InviteMember(ctx, "acme", client.NewMember{Email: "dan@example.com", Role: "owner"})
		if err != nil || invited.Status != "pending" || invited.Source != "local" || invited.Role != "owner" || invited.Connection != nil || invited.Teams == nil {
			b.t.Errorf("got %+v, %v", invited, err)
		}
		for o, want := range map[client.ListOptions]string{
			{}: "ada bob cy dan@example.com", {Limit: 3}: "ada bob cy", {Search: "The B"}: "bob", {Search: "%"}: "",
			{Status: "deactivated"}: "", {Connection: "okta"}: "bob", {Connection: okta}: "bob", {Status: "pending", Search: "dan"}: "dan@example.com",
		} {
			if got := userNames(list(b, b.local.Members(ctx, "acme", o))); got != want {
				b.t.Errorf("%+v: got %q, want %q", o, got, want)
			}
		}
		b.refused(listError(b.local.Members(ctx, "acme", client.ListOptions{Connection: "x"})), http.StatusNotFound, "not_found", "entra, okta")
		b.refused(listError(b.local.Members(ctx, "beta", client.ListOptions{Connection: "x"})), http.StatusNotFound, "not_found", "configuration file")
		b.refused(listError(b.local.Members(ctx, "acme", client.ListOptions{Status: "gone"})), http.StatusBadRequest, "invalid", "status")

		first := list(b, b.local.Members(ctx, "acme", client.ListOptions{}))[0]
		if *first.Connection != "entra" || !slices.Equal(first.Teams, []string{"Engineers"}) || first.Email != "ada@example.com" || first.DisplayName != "The ada" {
			b.t.Errorf("got %+v", first)
		}
		teams := list(b, b.local.Teams(ctx, "acme", client.ListOptions{}))
		if len(teams) != 1 || teams[0].ID != team.ID || !teams[0].Managed || *teams[0].Connection != "entra" || teams[0].ExternalID != "g1" ||
			!slices.Equal(teams[0].Members, []string{"ada", "bob"}) {
			b.t.Errorf("got %+v", teams)
		}
		if deleted := list(b, b.local.Teams(ctx, "acme", client.ListOptions{Status: "deleted"})); len(deleted) != 1 || deleted[0].DisplayName != "Gone" || deleted[0].Members == nil {
			b.t.Errorf("got %+v", deleted)
		}
	})
}

func TestInvitationsNeedAnAddress(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		for _, bad := range []string{"", "x", "Ada <ada@example.com>", "a@b@c", "a@", "a b@example.com", "<a@example.com>", "a@example.com, b@example.com",
			strings.Repeat("a", 250) + "@example.com", "a@example.com\r\nBcc: b@example.com"} {
			_, err := b.local.InviteMember(ctx, "acme", client.NewMember{Email: bad})
			b.refused(err, http.StatusBadRequest, "invalid", "email")
		}
		m, err := b.local.InviteMember(ctx, "acme", client.NewMember{Email: " ada@example.com "})
		if err != nil || m.Email != "ada@example.com" || m.Role != "member" {
			b.t.Errorf("got %+v, %v", m, err)
		}
		_, err = b.local.InviteMember(ctx, "acme", client.NewMember{Email: "ADA@example.com"})
		b.refused(err, http.StatusConflict, "conflict", "is a member already")
		_, err = b.local.InviteMember(ctx, "acme", client.NewMember{Email: "b@example.com", Role: "king"})
		b.refused(err, http.StatusBadRequest, "invalid", "role")
	})
}

func TestDeactivation(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		ada := b.push("", "ada", "same@example.com")
		bob := b.push("", "bob", "same@example.com")
		_, err := b.local.DeactivateMember(ctx, "acme", "same@example.com")
		b.refused(err, http.StatusConflict, "conflict", ada.ID, bob.ID, "ada", "bob")
		_, err = b.local.DeactivateMember(ctx, "acme", "nobody")
		b.refused(err, http.StatusNotFound, "not_found", `no member "nobody"`)
		over := b.remote(b.key("acme", "admin"))
		for _, key := range []string{ada.ID, "ADA"} {
			if m, err := over.DeactivateMember(ctx, "acme", key); err != nil || m.Status != "deactivated" || m.ID != ada.ID {
				b.t.Errorf("%s: got %+v, %v", key, m, err)
			}
		}
		if m, err := b.local.ReactivateMember(ctx, "acme", "ada"); err != nil || m.Status != "pending" {
			b.t.Errorf("got %+v, %v", m, err)
		}
		events := list(b, b.local.Events(ctx, "acme", client.ListOptions{Search: "member."}))
		last := events[len(events)-2]
		if last.Type != "member.deactivated" || last.Actor.Type != "operator" || last.Actor.Name != "acme admin" || last.Actor.ID == "" || *last.Subject.ID != ada.ID ||
			last.Reason != "asked for by acme admin" || last.Number != nil || last.Run != nil || !strings.Contains(string(last.After), "deactivated") {
			b.t.Errorf("got %+v", last)
		}
		if by := events[len(events)-1].Actor; by.Name != "local operator" {
			b.t.Errorf("got %+v", by)
		}
		if first := events[0]; string(first.Before) != "null" {
			b.t.Errorf("before is %s", first.Before)
		}
		owner, err := b.local.InviteMember(ctx, "acme", client.NewMember{Email: "boss@example.com", Role: "owner"})
		b.ok(err)
		if _, err = b.local.DeactivateMember(ctx, "acme", owner.ID); err == nil {
			b.t.Error("the last owner was deactivated")
		}
	})
}

// conflict is a row of a plan as the reconciler writes one for a person who isn't linked.
func conflict(object, reason string) roster.RunAction {
	return roster.RunAction{State: roster.ActionListed, Drift: roster.Drift{
		Kind: roster.ConflictKind, Action: roster.ActNone, Reason: reason,
		Subject: roster.Subject{Type: roster.TypeMember, Name: "there", ObjectID: object},
	}}
}

func (b *bench) invite(email string, role roster.Role) string {
	b.t.Helper()
	return b.commit(roster.Cause{}, roster.MemberInvite{Email: email, Role: role})[0].ID
}

func TestAdoption(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		entra := b.connection("entra", "t1")
		one, two := b.invite("one@example.com", "viewer"), b.invite("two@example.com", "member")
		boss, three := b.invite("boss@example.com", "owner"), b.invite("three@example.com", "member")
		scim := b.push(entra, "scim", "")
		_, err := b.local.AdoptMembers(ctx, "acme", client.Adopt{AllMatching: true, Connection: "entra"})
		b.refused(err, http.StatusConflict, "conflict", "rosterd diff")
		for _, bad := range []client.Adopt{{Connection: "entra"}, {Connection: "entra", Key: "x", AllMatching: true}} {
			_, err = b.local.AdoptMembers(ctx, "acme", bad)
			b.refused(err, http.StatusBadRequest, "invalid", "either")
		}
		got, err := b.local.AdoptMembers(ctx, "acme", client.Adopt{Key: "one@example.com", Connection: "entra"})
		if err != nil || len(got.Adopted) != 1 || *got.Adopted[0].Connection != "entra" || got.Adopted[0].Source != "scim" || got.Refused == nil {
			b.t.Errorf("got %+v, %v", got, err)
		}
		_, err = b.local.AdoptMembers(ctx, "acme", client.Adopt{Key: one, Connection: "entra"})
		b.refused(err, http.StatusConflict, "conflict", "not a local member")

		clash := conflict("o5", `userName clash: "x" is held by "three" (`+three+`)`)
		clash.Drift.Subject.ID = scim.ID
		b.finished(entra, roster.ModeDry, roster.RunDone,
			conflict("o1", `matches by userName "two@example.com" (`+two+`), who is local; hand them over with: members adopt `+two+` --connection entra`),
			conflict("o2", `matches by email "boss@example.com" (`+boss+`), who is local; hand them over with: members adopt `+boss+` --connection entra`),
			conflict("o3", `several members match by email: "three" (`+three+`), "scim" (`+scim.ID+`); settle it`),
			conflict("o4", `matches by email "`+three+`" (`+scim.ID+`), whom another connection (x) owns`), clash)
		got, err = b.local.AdoptMembers(ctx, "acme", client.Adopt{AllMatching: true, Connection: "entra"})
		if err != nil || userNames(got.Adopted) != "two@example.com" || len(got.Refused) != 2 || got.Refused[0].Member != "three@example.com" ||
			!strings.Contains(got.Refused[0].Reason, "several members") || got.Refused[1].Member != "boss@example.com" || !strings.Contains(got.Refused[1].Reason, "one by one") {
			b.t.Errorf("got %+v, %v", got, err)
		}
		if got, err = b.local.AdoptMembers(ctx, "acme", client.Adopt{Key: boss, Connection: "entra"}); err != nil || got.Adopted[0].Role != "owner" {
			b.t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestLink(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		entra, okta := b.connection("entra", "t1"), b.connection("okta", "t2")
		ada, bob, local := b.push(entra, "ada", ""), b.push("", "bob", ""), b.invite("local@example.com", "member")
		link := func(key, object string) (client.Member, error) {
			return b.local.LinkMember(ctx, "acme", client.LinkMember{Key: key, Connection: "okta", ObjectID: object})
		}
		_, err := link(local, "o1")
		b.refused(err, http.StatusConflict, "conflict", "members adopt")
		_, err = link("ada", "")
		b.refused(err, http.StatusConflict, "conflict", "rosterd diff")
		_, err = link("ada", strings.Repeat("x", 300))
		b.refused(err, http.StatusBadRequest, "invalid", "object_id")
		b.finished(okta, roster.ModeFull, roster.RunDone,
			conflict("o1", `matches by userName "ada" (`+ada.ID+`), whom another connection (`+entra+`) owns`),
			conflict("o2", `matches by email "`+bob.ID+`" (`+ada.ID+`), whom another connection owns`))
		_, err = link("ada", "")
		b.refused(err, http.StatusConflict, "conflict", "o1, o2", "--object")
		_, err = link("bob", "")
		b.refused(err, http.StatusConflict, "conflict", "names bob", "--object")
		b.finished(okta, roster.ModeFull, roster.RunDone, conflict("o1", `matches by userName "ada" (`+ada.ID+`), whom another connection (`+entra+`) owns`))
		for range 2 {
			if m, err := link("ada", ""); err != nil || *m.Connection != "entra" {
				b.t.Errorf("got %+v, %v", m, err)
			}
		}
		b.linked(okta, "o1", ada.ID)
		// Another object for the same member, and then the first object for another, who is unclaimed and so claimed.
		if _, err = link("ada", "o9"); err != nil {
			b.t.Error(err)
		}
		b.linked(okta, "o9", ada.ID)
		b.linked(okta, "o1", "")
		if m, err := link("bob", "o9"); err != nil || m.Connection == nil || *m.Connection != "okta" {
			b.t.Errorf("got %+v, %v", m, err)
		}
		b.linked(okta, "o9", bob.ID)
	})
}

func TestLinksAreShownAndUndone(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		b.connection("okta", "t2")
		bob := b.push("", "bob", "")
		unlink := client.Unlink{Key: "bob", Connection: "okta"}
		if m, err := b.local.Member(ctx, "acme", "bob"); err != nil || m.ID != bob.ID || m.Links.Links == nil || len(m.Links.Links) != 0 {
			b.t.Errorf("before any link: %+v, %v", m, err)
		}
		_, err := b.local.UnlinkMember(ctx, "acme", unlink)
		b.refused(err, http.StatusNotFound, "not_found", "not linked to connection okta")
		link := client.LinkMember{Key: "bob", Connection: "okta", ObjectID: "o1"}
		if _, err := b.local.LinkMember(ctx, "acme", link); err != nil {
			b.t.Fatal(err)
		}
		m, err := b.local.Member(ctx, "acme", "o1")
		if err != nil || len(m.Links.Links) != 1 || m.Links.Links[0].Connection != "okta" || m.Links.Links[0].ObjectID != "o1" || m.Links.Links[0].Rule != "operator" {
			b.t.Errorf("linked: %+v, %v", m, err)
		}
		if m, err = b.local.UnlinkMember(ctx, "acme", unlink); err != nil || len(m.Links.Links) != 0 || len(m.Undone) != 1 || m.Undone[0].ObjectID != "o1" {
			b.t.Errorf("undone: %+v, %v", m, err)
		}
		if _, err := b.local.LinkMember(ctx, "acme", link); err != nil {
			b.t.Fatal(err)
		}
		if m, err = b.local.Member(ctx, "acme", "bob"); err != nil || len(m.Links.Links) != 1 || len(m.Undone) != 0 {
			b.t.Errorf("linked again: %+v, %v", m, err)
		}
		_, err = b.local.UnlinkTeam(ctx, "acme", client.Unlink{Key: "nobody", Connection: "okta"})
		b.refused(err, http.StatusNotFound, "not_found", "no team")
		_, err = b.local.UnlinkMember(ctx, "acme", client.Unlink{Key: "bob", Connection: "nothing"})
		b.refused(err, http.StatusNotFound, "not_found", "nothing")
	})
}

func (b *bench) linked(connection, object, want string) {
	b.t.Helper()
	got, err := b.db.ResolveLinks(b.t.Context(), b.acme, connection, roster.TypeMember, []string{object})
	if err != nil || got[object] != want {
		b.t.Errorf("%s is linked to %q, want %q (%v)", object, got[object], want, err)
	}
}
