package idpsim_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

func TestAssignmentsDirectAndThroughGroups(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{})
	u, g, pushed := o.person("ada@initech.example"), o.team("Access"), o.team("Pushed")
	in := func() string {
		a := o.get(o.app("/users/" + u.ID))
		if a.Status == http.StatusNotFound {
			return fmt.Sprint(a.code())
		}
		return text(a.object(), "scope")
	}
	const none = "E0000007"
	if o.must(o.PushGroup(pushed.ID)); in() != none {
		t.Fatal("a push assigned somebody")
	}
	for i, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return o.AddToGroup(pushed.ID, u.ID) }, none},
		{func() error { return o.AssignGroup(g.ID) }, none},
		{func() error { return o.AddToGroup(g.ID, u.ID) }, "GROUP"},
		{func() error { return o.AssignUser(u.ID) }, "USER"},
		{func() error { return o.UnassignUser(u.ID) }, "GROUP"},
		{func() error { return o.RemoveFromGroup(g.ID, u.ID) }, none},
		{func() error { return o.AssignUser(u.ID) }, "USER"},
		{func() error { return o.UnassignGroup(g.ID) }, "USER"},
		{func() error { return o.UnassignUser(u.ID) }, none},
		{func() error { return errors.Join(o.AssignGroup(g.ID), o.AddToGroup(g.ID, u.ID)) }, "GROUP"},
		{func() error { return o.Deactivate(u.ID) }, none},
		{func() error { return o.Activate(u.ID) }, "GROUP"},
		{func() error { return o.DeleteGroup(g.ID) }, none},
	} {
		if err := step.do(); err != nil || in() != step.want {
			t.Fatalf("step %d: %v, %s, want %s", i, err, in(), step.want)
		}
	}
}

func TestAnApplicationUserHasItsOwnProfile(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{Now: func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC) }})
	u := o.person("ada@initech.example")
	o.must(o.AssignUser(u.ID), o.UpdateAppUser(u.ID, func(a *idpsim.AppUser) {
		a.UserName, a.Profile.Email = "countess", "ada@mail.example"
	}))
	o.SetExternalID(u.ID, "target-1")
	got := o.get(o.app("/users/" + u.ID + "?expand=user")).object()
	for want, have := range map[string]string{
		"countess": text(got, "credentials", "userName"), "ada@mail.example": text(got, "profile", "email"),
		"Ada": text(got, "profile", "givenName"), "USER": text(got, "scope"), "PROVISIONED": text(got, "status"),
		"target-1": text(got, "externalId"), "SYNCHRONIZED": text(got, "syncState"),
		"2026-03-04T05:06:07.008Z": text(got, "lastUpdated"),
		"ada@initech.example":      text(got, "_embedded", "user", "profile", "login"),
		"ACTIVE":                   text(got, "_embedded", "user", "status"),
	} {
		if have != want {
			t.Errorf("got %q, want %q", have, want)
		}
	}
	if _, embedded := o.get(o.app("/users/" + u.ID)).object()["_embedded"]; embedded {
		t.Error("the user is embedded without being asked for")
	}
	o.must(o.UpdateProfile(u.ID, func(p *idpsim.OktaProfile) { p.Email, p.Title = "new@initech.example", "Countess" }))
	a, _ := o.AppUser(u.ID)
	if a.Profile.Email != "ada@mail.example" || a.Profile.Title != "Countess" {
		t.Errorf("after a change of the user's profile: %+v", a.Profile)
	}
}

func TestAMutationOfSomethingUnknownIsRefusedWhole(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{})
	u, g := o.person("ada@initech.example"), o.team("A")
	version := o.Version()
	for i, err := range []error{
		o.AddToGroup(g.ID, u.ID, "nobody"), o.AssignUser(u.ID, "nobody"), o.AssignGroup(g.ID, "none"), o.UnassignUser(u.ID),
		o.PushGroup(g.ID, "none"), o.UnpushGroup(g.ID), o.Suspend("nobody"), o.DeleteGroup("none"), o.DeleteUser("nobody"),
		o.UpdateAppUser(u.ID, func(*idpsim.AppUser) {}), o.SetPushStatus(g.ID, idpsim.PushError, ""),
	} {
		if !errors.Is(err, idpsim.ErrNotFound) {
			t.Errorf("mutation %d: %v", i, err)
		}
	}
	if _, err := o.AddUser(idpsim.OktaUser{Profile: idpsim.OktaProfile{Login: "ADA@initech.example"}}); !errors.Is(err, idpsim.ErrConflict) {
		t.Errorf("a second person of that login: %v", err)
	}
	if o.Version() != version || len(o.Members(g.ID)) != 0 || len(o.AppUsers()) != 0 || len(o.PushMappings()) != 0 {
		t.Error("something was changed")
	}
}
