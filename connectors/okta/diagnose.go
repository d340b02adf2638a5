package okta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
)

var _ connectors.Diagnoser = (*Connector)(nil)

// The checks of a diagnosis, as they are shown.
const (
	checkedApp      = "application"
	checkedPush     = "group push"
	checkedAssigned = "assignments"
	checkedSync     = "provisioning"
	checkedSignIn   = "sign-in"
)

// assignFix is the way out of most of what goes wrong (the user's document, "User deprovisioned after removing direct
// assignment").
const assignFix = "Assign the group under Assignments as well (Assign > Assign to Groups), not just under Push Groups: then being in " +
	"it is what gives the account and the team alike"

// diagnosis is what one look at the whole set-up has read.
type diagnosis struct {
	c        *Connector
	findings []connectors.Finding

	users    map[string]*appPerson // the application's users
	mappings []*pushMapping
	assigned map[string]string // assigned groups and their names
	groups   map[string]*group // pushed groups, and assigned ones where their members were asked for
	order    []string          // the ids of pushed groups that are on, sorted by name
}

type appPerson struct {
	userName, email string
	direct          bool // assigned themselves
	on              bool
	failed          bool // the last push of them failed
}

type group struct {
	name    string
	members map[string]string // who may have an account, to their logins
}

// Diagnose looks for what an administrator of the org means otherwise than it is set up. Lists that can't be read end
// what needs them; the error says which.
func (c *Connector) Diagnose(ctx context.Context) ([]connectors.Finding, error) {
	ctx = c.budgeted(ctx)
	d := &diagnosis{c: c, users: map[string]*appPerson{}, assigned: map[string]string{}, groups: map[string]*group{}}
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.readUsers(ctx); err != nil {
		return d.findings, err
	}
	mapped, err := d.readMappings(ctx)
	if err != nil {
		return d.findings, err
	}
	d.judgeApp(app, mapped)
	if err := d.readAssigned(ctx); err != nil {
		return d.findings, err
	}
	broke := d.readPushed(ctx)
	if broke != nil && connectors.FaultOf(broke) != connectors.OverBudget {
		return d.findings, broke
	}
	slices.SortFunc(d.order, func(a, b string) int { return strings.Compare(d.groups[a].name+a, d.groups[b].name+b) })
	if mapped {
		d.judgeMappings()
		if err := d.judgeGroups(ctx); err != nil {
			broke = err
		}
	}
	d.judgePeople()
	if connectors.FaultOf(broke) == connectors.OverBudget {
		d.add(checkedAssigned, connectors.FindingSkip, fmt.Sprintf("%d of %d pushed groups were looked at: more calls to Okta are not made for a check",
			len(d.order), len(d.mappings)), "")
		return d.findings, nil
	}
	return d.findings, broke
}

func (d *diagnosis) add(check string, state connectors.FindingState, text, fix string) {
	d.findings = append(d.findings, connectors.Finding{Check: check, State: state, Text: text, Fix: fix})
}

func (d *diagnosis) ok(check, text string) { d.add(check, connectors.FindingOK, text, "") }
func (d *diagnosis) warn(check, text, fix string) {
	d.add(check, connectors.FindingWarn, text, fix)
}
func (d *diagnosis) fail(check, text, fix string) {
	d.add(check, connectors.FindingFail, text, fix)
}

func (d *diagnosis) readUsers(ctx context.Context) error {
	return connectors.Walk(ctx, connectors.Unstamped, d.c.appUsers("", appUserLimit), func(_ connectors.Stamp, page []*sdk.AppUser) error {
		for _, item := range page {
			u, err := d.c.userOfApp(item)
			if err != nil {
				return err
			}
			d.users[item.Id] = &appPerson{
				userName: u.Attributes[attrUserName], email: embeddedEmail(item), direct: item.Scope == "USER", on: u.Enabled,
				failed: item.SyncState == "ERROR",
			}
		}
		return nil
	})
}

// readMappings reports whether the push mappings could be read at all.
func (d *diagnosis) readMappings(ctx context.Context) (bool, error) {
	err := connectors.Walk(ctx, connectors.Unstamped, d.c.pushMappings("", pageLimit), func(_ connectors.Stamp, page []*pushMapping) error {
		d.mappings = append(d.mappings, page...)
		return nil
	})
	if refused := new(connectors.Error); errors.As(err, &refused) && refuses(refused) {
		d.add(checkedPush, connectors.FindingSkip, refused.Message+": which groups are pushed, and whether that works, can't be told", refused.Fix)
		return false, nil
	}
	return true, err
}

// readAssigned reads the assigned groups with their names.
func (d *diagnosis) readAssigned(ctx context.Context) error {
	return connectors.Walk(ctx, connectors.Unstamped, d.c.appGroupsNamed(), func(_ connectors.Stamp, page []*sdk.ApplicationGroupAssignment) error {
		for _, g := range page {
			if !validID(g.Id) {
				return noID()
			}
			d.assigned[g.Id] = embeddedGroupName(g)
		}
		return nil
	})
}

// readPushed reads the pushed groups, those with a mapping that is off too, and the members of those that are on.
func (d *diagnosis) readPushed(ctx context.Context) error {
	for _, m := range d.mappings {
		if !validID(m.SourceGroupID) {
			return noID()
		}
		if err := d.readName(ctx, m); err != nil {
			return err
		}
		if m.gone || m.Status == pushOff || slices.Contains(d.order, m.SourceGroupID) {
			continue
		}
		if err := d.readMembers(ctx, m.SourceGroupID); err != nil {
			return err
		}
		d.order = append(d.order, m.SourceGroupID)
	}
	return nil
}

// readName reads what a pushed group is called.
func (d *diagnosis) readName(ctx context.Context, m *pushMapping) error {
	if d.groups[m.SourceGroupID] != nil {
		return nil
	}
	found, err := d.c.group(ctx, m.SourceGroupID)
	if connectors.FaultOf(err) == connectors.NotFound {
		m.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	g, err := groupOf(found)
	if err != nil {
		return err
	}
	d.groups[m.SourceGroupID] = &group{name: g.Attributes["name"]}
	return nil
}

// readMembers reads who of a group may have an account, whole or not at all.
func (d *diagnosis) readMembers(ctx context.Context, id string) error {
	members := map[string]string{}
	err := connectors.Walk(ctx, connectors.Unstamped, d.c.members(id, pageLimit), func(_ connectors.Stamp, page []*sdk.User) error {
		for _, u := range page {
			if !validID(u.Id) {
				return noID()
			}
			if userStanding(u.Status) == on {
				members[u.Id] = loginOf(u)
			}
		}
		return nil
	})
	if err == nil {
		d.groups[id].members = members
	}
	return err
}

// judgeApp looks at what is switched on (the user's document, Okta, "Users not being provisioned").
func (d *diagnosis) judgeApp(app *application, mapped bool) {
	before := len(d.findings)
	if app.Status != "" && app.Status != "ACTIVE" {
		d.fail(checkedApp, fmt.Sprintf("%s is %s: nothing is pushed to rosterd", app.Label, strings.ToLower(app.Status)),
			"Activate it: Applications > "+app.Label+" > Inactive > Activate")
	}
	if app.Features == nil {
		d.add(checkedApp, connectors.FindingSkip, "Okta doesn't say what is switched on under Provisioning", "")
		return
	}
	if len(app.Features) == 0 {
		d.fail(checkedApp, "provisioning is not set up in "+app.Label+": nothing is pushed to rosterd",
			"General > App Settings > Edit: set Provisioning to SCIM; then set up the tab Provisioning > Integration and To App")
		return
	}
	const toApp = "Provisioning > To App > Edit: enable "
	for _, f := range []struct {
		feature, means, fix string
		state               connectors.FindingState
	}{
		{"PUSH_NEW_USERS", "Create Users is off: who is assigned gets no account by a push", toApp + "Create Users", connectors.FindingFail},
		{"PUSH_PROFILE_UPDATES", "Update User Attributes is off: changes of people are not pushed", toApp + "Update User Attributes", connectors.FindingWarn},
		{"PUSH_USER_DEACTIVATION", "Deactivate Users is off: who is unassigned keeps the account until a run finds it", toApp + "Deactivate Users", connectors.FindingFail},
		{"GROUP_PUSH", "Push Groups is off in the connector: no group is pushed",
			"Provisioning > Integration > Edit: check Push Groups among the supported provisioning actions", groupPushState(mapped && len(d.mappings) > 0)},
	} {
		if !slices.Contains(app.Features, f.feature) {
			d.add(checkedApp, f.state, f.means, f.fix)
		}
	}
	if len(d.findings) == before {
		d.ok(checkedApp, app.Label+" is active, and everything is switched on that rosterd needs")
	}
}

// groupPushState is how grave it is that the connector pushes no groups: it depends on whether any is meant to be pushed.
func groupPushState(meant bool) connectors.FindingState {
	if meant {
		return connectors.FindingFail
	}
	return connectors.FindingWarn
}

// embeddedEmail returns the email of the org's user, which expand=user puts beside the application's.
func embeddedEmail(a *sdk.AppUser) string {
	embedded, _ := a.Embedded.(map[string]any)
	user, _ := embedded["user"].(map[string]any)
	profile, _ := user["profile"].(map[string]any)
	email, _ := profile["email"].(string)
	return email
}

func embeddedGroupName(g *sdk.ApplicationGroupAssignment) string {
	embedded, _ := g.Embedded.(map[string]any)
	group, _ := embedded["group"].(map[string]any)
	profile, _ := group["profile"].(map[string]any)
	if name, _ := profile["name"].(string); name != "" {
		return name
	}
	return g.Id
}

func loginOf(u *sdk.User) string {
	if u.Profile != nil {
		if login, _ := (*u.Profile)["login"].(string); login != "" {
			return login
		}
	}
	return u.Id
}
