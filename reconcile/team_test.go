package reconcile_test

import (
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

func eng(change ...func(*roster.Team)) *roster.Team {
	t := &roster.Team{ID: "t1", DisplayName: "Eng", ExternalID: "e1", Status: roster.Active, Source: roster.SourceSCIM,
		Connection: mine, Seq: 50, ExternalIDBy: roster.ByRun}
	for _, f := range change {
		f(t)
	}
	return t
}

func wantedEng(name, externalID string) *roster.WantedTeam {
	return &roster.WantedTeam{ObjectID: obj, DisplayName: name, ExternalID: externalID, Stamp: 100}
}

func linkedTeam(t *roster.Team, there *roster.WantedTeam, l *roster.TeamLook) roster.TeamCandidate {
	return roster.TeamCandidate{ObjectID: obj, There: there, Here: t, Look: l, Members: 12, SilenceStamp: 100,
		Link: &roster.Link{Connection: mine, Type: roster.TypeTeam, ObjectID: obj, TargetID: t.ID, State: roster.LinkOn,
			SeenExternalID: t.ExternalID,
			Seen:           roster.Fingerprint(map[string]string{roster.AttrDisplayName: t.DisplayName, roster.AttrExternalID: t.ExternalID})}}
}

func teamLook(found, in bool, there *roster.WantedTeam) *roster.TeamLook {
	return &roster.TeamLook{Stamp: 200, At: now, Found: found, InScope: in, There: there}
}

func TestTeam(t *testing.T) {
	deleted := func(t *roster.Team) { t.Status = roster.Deleted }
	unclaimed := func(t *roster.Team) { t.Connection = "" }
	theirs := func(t *roster.Team) { t.Connection = other }
	ofUs := func(t *roster.Team) { t.Source, t.Connection = roster.SourceLocal, "" }
	pushedKey := func(t *roster.Team) { t.ExternalIDBy = roster.ByPush }
	fresh := func(t *roster.Team) { t.PushedAt, t.PushedSeq = now, 150 }
	old := func(t *roster.Team) { t.PushedAt = now.Add(-time.Hour) }
	found := func(m ...roster.TeamMatch) roster.TeamCandidate {
		return roster.TeamCandidate{ObjectID: obj, There: wantedEng("Eng", "e1"), Matches: m}
	}
	byID := func(t *roster.Team) roster.TeamMatch { return roster.TeamMatch{Team: *t, ByExternalID: true} }
	byName := func(t *roster.Team) roster.TeamMatch { return roster.TeamMatch{Team: *t, ByDisplayName: true} }
	unlinked := func(t *roster.Team, there *roster.WantedTeam, l *roster.TeamLook) roster.TeamCandidate {
		c := roster.TeamCandidate{Here: t, There: there, Look: l, SilenceStamp: 100}
		if there != nil {
			c.ObjectID = obj
		}
		return c
	}
	same := wantedEng("Eng", "e1")
	for name, tc := range map[string]struct {
		rules reconcile.Rules
		c     roster.TeamCandidate
		want  string
	}{
		"the same on both sides":            {rules(), linkedTeam(eng(), same, nil), ""},
		"renamed":                           {rules(), linkedTeam(eng(), wantedEng("Engineering", "e1"), nil), "stale_team update displayName=Engineering"},
		"another externalId, by a run":      {rules(), linkedTeam(eng(), wantedEng("Eng", "e2"), nil), "stale_team update externalId=e2"},
		"another externalId, changed there": {rules(), linkedTeam(eng(pushedKey), wantedEng("Eng", "e2"), nil), "stale_team update externalId=e2"},
		"a pushed externalId, unchanged there": {rules(), func() roster.TeamCandidate {
			c := linkedTeam(eng(pushedKey), wantedEng("Eng", "e2"), nil)
			c.Link.SeenExternalID = "e2"
			return c
		}(), "stale_team none externalId=e2"},
		"an unmapped externalId clears nothing": {rules(), linkedTeam(eng(), wantedEng("Eng", ""), nil), "link seen"},
		"deleted here":                          {rules(), linkedTeam(eng(deleted), wantedEng("Eng2", "e1"), nil), "missing_team restore; stale_team update displayName=Eng2"},
		"deleted here, and an active one found": {rules(), func() roster.TeamCandidate {
			c := linkedTeam(eng(deleted), same, nil)
			c.Matches = []roster.TeamMatch{byName(eng(func(t *roster.Team) { t.ID = "t2" }))}
			return c
		}(), "link moved t2 by displayName"},
		"another's":                   {rules(), linkedTeam(eng(theirs), wantedEng("X", ""), nil), "link seen"},
		"unknown here":                {rules(), found(), "missing_team create displayName=Eng externalId=e1"},
		"first link by externalId":    {rules(), found(byName(eng(func(t *roster.Team) { t.ID = "t2" })), byID(eng())), "link made t1 by externalId"},
		"first link by name":          {rules(), found(byName(eng())), "link made t1 by displayName"},
		"an unclaimed one":            {rules(), found(byName(eng(unclaimed))), "link made t1 by displayName"},
		"a deleted one by externalId": {rules(), found(byID(eng(deleted))), "link made t1 by externalId; missing_team restore"},
		"a deleted one never by name": {rules(), found(byName(eng(deleted))), "missing_team create displayName=Eng externalId=e1"},
		"a local one of the name":     {rules(), found(byName(eng(ofUs))), "conflict none"},
		"another's of the name":       {rules(), found(byName(eng(theirs))), "conflict none"},
		"two of the name":             {rules(), found(byName(eng()), byName(eng(func(t *roster.Team) { t.ID = "t2" }))), "conflict none"},
		"two of the name, the other one another's": {rules(), found(byName(eng(theirs, func(t *roster.Team) { t.ID = "t2" })), byName(eng())),
			"link made t1 by displayName"},
		"two of the name, the other one unclaimed": {rules(), found(byName(eng(unclaimed, func(t *roster.Team) { t.ID = "t2" })), byName(eng())), "conflict none"},
		"one linked to another group":              {rules(), found(roster.TeamMatch{Team: *eng(), ByDisplayName: true, LinkedObject: "o2"}), "conflict none"},
		"silence in a list not whole":              {partly(rules()), linkedTeam(eng(), nil, nil), ""},
		"silence":                                  {rules(), linkedTeam(eng(), nil, nil), "look"},
		"silence, and a look in scope":             {rules(), linkedTeam(eng(), nil, teamLook(true, true, same)), ""},
		"silence, and a look out of scope":         {rules(), linkedTeam(eng(), nil, teamLook(true, false, same)), "link seen; orphaned_team delete"},
		"silence, and a look that finds none":      {rules(), linkedTeam(eng(), nil, teamLook(false, false, nil)), "link seen; orphaned_team delete"},
		"silence, and deleted here":                {rules(), linkedTeam(eng(deleted), nil, nil), ""},
		"held":                                     {rules(), func() roster.TeamCandidate { c := linkedTeam(eng(), nil, nil); c.HeldBy = "r1"; return c }(), "orphaned_team none"},
		"fresh, with a difference":                 {rules(), linkedTeam(eng(fresh), wantedEng("X", "e1"), nil), "look"},
		"pushed long ago":                          {rules(), linkedTeam(eng(old), wantedEng("X", "e1"), nil), "stale_team update displayName=X"},
		"fresh, and a look in line":                {rules(), linkedTeam(eng(fresh), wantedEng("X", "e1"), teamLook(true, true, same)), "again"},
		"without a link":                           {rules(), unlinked(eng(), nil, nil), "look"},
		"without a link, found":                    {rules(), unlinked(eng(), same, teamLook(true, true, same)), "link made t1 by displayName"},
		"without a link, found out of scope":       {rules(), unlinked(eng(), same, teamLook(true, false, same)), "link made t1 by displayName; orphaned_team delete"},
		"without a link, a look alone":             {partly(rules()), unlinked(eng(), same, teamLook(true, false, same)), "link made t1 by displayName"},
		"without a link, not found":                {rules(), unlinked(eng(), nil, teamLook(false, false, nil)), "orphaned_team delete held"},
		"unclaimed, not found":                     {rules(), unlinked(eng(unclaimed), nil, teamLook(false, false, nil)), "orphaned_team none"},
		"not found so soon after a push":           {rules(), unlinked(eng(fresh), nil, teamLook(false, false, nil)), "orphaned_team none again"},
		"without a link, several found":            {rules(), unlinked(eng(), nil, teamLook(true, false, nil)), "conflict none"},
		"without a link, another matches first": {rules(), func() roster.TeamCandidate {
			c := unlinked(eng(func(t *roster.Team) { t.ExternalID = "" }), same, teamLook(true, true, same))
			c.Matches = []roster.TeamMatch{byID(eng(func(t *roster.Team) { t.ID = "t2" }))}
			return c
		}(), "conflict none"},
		"without a link, another matches as well": {rules(), func() roster.TeamCandidate {
			c := unlinked(eng(func(t *roster.Team) { t.ExternalID = "" }), same, teamLook(true, false, same))
			c.Matches = []roster.TeamMatch{byName(eng(func(t *roster.Team) { t.ID, t.ExternalID = "t2", "" }))}
			return c
		}(), "conflict none"},
		"without a link, renamed a moment later": {rules(), unlinked(eng(func(t *roster.Team) { t.ExternalID = "" }), same, teamLook(true, true, wantedEng("X", "e1"))), ""},
		"local":                                  {rules(), unlinked(eng(ofUs), nil, nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := say(tc.rules.Team(tc.c)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
