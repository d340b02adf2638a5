package syncer_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// preview asks for one person's, and holds that nothing was written: no change, no event, no run.
func (w *world) preview(key string) roster.Preview {
	w.t.Helper()
	runs := func() int {
		all, _, err := w.db.Runs(context.Background(), w.org, store.List{})
		w.ok(err)
		return len(all)
	}
	before, n := w.dump(), runs()
	got, err := w.syncer.Preview(context.Background(), w.org, w.conn, key)
	w.ok(err)
	if w.dump() != before || runs() != n {
		w.t.Errorf("a preview of %s wrote something", key)
	}
	return got
}

func valueOf(p roster.Preview, target string) roster.PreviewValue {
	i := slices.IndexFunc(p.Values, func(v roster.PreviewValue) bool { return v.Target == target })
	if i < 0 {
		return roster.PreviewValue{}
	}
	return p.Values[i]
}

// remap gives the connection a mapping, as a changed configuration does.
func (w *world) remap(lines map[string]string) {
	w.t.Helper()
	m := mapping.Entra()
	for target, source := range lines {
		w.ok(m.Write(target, source))
	}
	w.mapped(m)
}

func (w *world) mapped(m mapping.Mapping) {
	w.t.Helper()
	source := w.cfg.Sources[w.conn]
	source.Mapping = m
	w.cfg.Sources[w.conn] = source
	w.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(), Managed: m.Managed()})
}

func TestAPreviewSaysWhatAResyncWouldDoAndWritesNothing(t *testing.T) {
	eachWorld(t, 8, 1, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed Person" }))
		id := w.members()[p.UserPrincipalName].ID
		for _, key := range []string{p.UserPrincipalName, strings.ToUpper(p.ObjectID), id, p.Mail} {
			got := w.preview(key)
			if got.Link != roster.PreviewLinked || got.Rule != "" || got.MemberID != id || got.ObjectID != p.ObjectID || !got.Found || !got.InScope || !got.Enabled || got.Scope == "" {
				t.Errorf("by %s: %+v", key, got)
			}
			name := valueOf(got, roster.AttrDisplayName)
			if name.State != roster.PreviewDiffers || name.Value != "Renamed Person" || name.Stored != p.DisplayName || name.Source != "displayName" || got.Read["displayName"] != "Renamed Person" {
				t.Errorf("displayName: %+v", name)
			}
			if v := valueOf(got, roster.AttrUserName); v.State != roster.PreviewSame || !slices.Equal(got.Would, []string{"update displayName"}) {
				t.Errorf("userName %+v; would %q", v, got.Would)
			}
		}
		w.ok(w.tenant.DeleteUser(p.ObjectID))
		if got := w.preview(p.UserPrincipalName); got.Found || got.InScope || !slices.Contains(got.Would, "deactivate") || !strings.Contains(got.There, "no such person") {
			t.Errorf("deleted there: %+v", got)
		}
	})
}

func TestAPreviewSaysWhomAPersonWouldBecome(t *testing.T) {
	eachWorld(t, 8, 1, func(w *world) {
		w.baseline()
		joiner, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "joiner@contoso.example", DisplayName: "Joiner", Mail: "j@mail.example"})
		w.ok(err)
		got := w.preview("joiner@contoso.example")
		if got.Link != roster.PreviewNobody || got.InScope || got.Scope == "" || len(got.Would) != 0 || !strings.Contains(got.There, "out of scope") {
			t.Errorf("not assigned: %+v", got)
		}
		w.ok(w.tenant.Assign(joiner.ObjectID))
		got = w.preview("j@mail.example")
		if got.Link != roster.PreviewCreate || got.MemberID != "" || valueOf(got, roster.AttrUserName).State != roster.PreviewNew ||
			valueOf(got, roster.AttrGivenName).State != roster.PreviewEmpty || !slices.Equal(got.Would, []string{"create"}) {
			t.Errorf("assigned: %+v", got)
		}
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": "joiner@contoso.example"}, Active: true})
		got = w.preview(joiner.ObjectID)
		if got.Link != roster.PreviewWouldLink || got.Rule != "userName" || got.MemberID != w.members()["joiner@contoso.example"].ID || !strings.HasPrefix(got.Would[0], "link by userName") {
			t.Errorf("pushed meanwhile: %+v", got)
		}
		local := w.commit(operator(), roster.MemberInvite{Email: "alone@mail.example", Role: roster.RoleMember})[0].Member
		alone, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "alone@contoso.example", DisplayName: "Alone", Mail: "alone@mail.example"})
		w.ok(err, w.tenant.Assign(alone.ObjectID))
		got = w.preview(alone.ObjectID)
		if got.Link != roster.PreviewConflict || len(got.Left) == 0 || w.members()[local.UserName()].Source != roster.SourceLocal {
			t.Errorf("a local member has the email: %+v", got)
		}
	})
}

func TestAPreviewShowsWhatAnExpressionGivesOrWhyItCannot(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.baseline()
		w.remap(map[string]string{roster.AttrDisplayName: "= ToUpper(givenName)", "title": `= Mid(mail, InStr(mail, "#"), 1)`})
		p := w.somebody(0)
		got := w.preview(p.UserPrincipalName)
		if v := valueOf(got, roster.AttrDisplayName); v.Value != strings.ToUpper(p.GivenName) || v.Source != "= ToUpper(givenName)" || v.State != roster.PreviewDiffers {
			t.Errorf("displayName: %+v", v)
		}
		if v := valueOf(got, "title"); v.State != roster.PreviewProblem || !strings.Contains(v.Problem, "mid starts") || got.Read["displayName"] != "" {
			t.Errorf("title: %+v; read %v", v, got.Read)
		}
	})
}

func TestAPreviewIsRefusedInTheWordsOfADiff(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		_, want := w.askOne("nobody@contoso.example", true)
		for what, c := range map[string]struct {
			conn, key string
			code      roster.Code
			words     string
		}{
			"nobody":        {w.conn, "nobody@contoso.example", roster.NotFound, want.Error()},
			"no key":        {w.conn, " ", roster.Invalid, "name a person"},
			"no connection": {"none", p.ObjectID, roster.NotFound, ""},
		} {
			if _, err := w.syncer.Preview(context.Background(), w.org, c.conn, c.key); roster.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.tenant.Deny(idpsim.UserReadAll)
		if _, err := w.syncer.Preview(context.Background(), w.org, w.conn, p.ObjectID); roster.CodeOf(err) != roster.Unavailable || !strings.Contains(err.Error(), "User.Read.All") {
			t.Errorf("without the permission: %v", err)
		}
	})
}

func TestAPreviewWorksForOktaToo(t *testing.T) {
	onSQLite(t, func(w *world) {
		o, conn := w.oktaToo(6, 1, okta.SuspendedOff)
		w.full(conn)
		p := o.Desired()[0]
		w.ok(o.UpdateAppProfile(p.ObjectID, func(a *idpsim.AppProfile) { a.DisplayName = "Another Name" }))
		before := w.dump()
		got, err := w.syncer.Preview(context.Background(), w.org, conn, p.UserName)
		w.ok(err)
		_, hasID := got.Read["appUserExternalId"]
		if v := valueOf(got, roster.AttrDisplayName); v.State != roster.PreviewDiffers || got.Link != roster.PreviewLinked || got.ObjectID != p.ObjectID || !hasID || w.dump() != before {
			t.Errorf("got %+v", got)
		}
		if _, err := w.syncer.JobMapping(context.Background(), w.org, conn); roster.CodeOf(err) != roster.Invalid {
			t.Errorf("the mapping of a job: %v", err)
		}
	})
}
