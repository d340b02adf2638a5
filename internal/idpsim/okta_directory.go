package idpsim

import (
	"math/rand/v2"
	"time"
)

// OktaStatus is the status of an Okta user (page "Users", "User status").
type OktaStatus string

// The statuses of a user.
const (
	OktaActive          OktaStatus = "ACTIVE"
	OktaPasswordExpired OktaStatus = "PASSWORD_EXPIRED"
	OktaLockedOut       OktaStatus = "LOCKED_OUT"
	OktaRecovery        OktaStatus = "RECOVERY"
	OktaProvisioned     OktaStatus = "PROVISIONED"
	OktaStaged          OktaStatus = "STAGED"
	OktaSuspended       OktaStatus = "SUSPENDED"
	OktaDeprovisioned   OktaStatus = "DEPROVISIONED"
)

// Enabled says whether someone with this status should have an account.
func (s OktaStatus) Enabled() bool {
	return s != OktaStaged && s != OktaSuspended && s != OktaDeprovisioned
}

// AppStatus is the status of an application user (page "Application Users").
type AppStatus string

// The statuses of an application user that the tenant gives. Okta documents more.
const (
	AppProvisioned   AppStatus = "PROVISIONED"
	AppActive        AppStatus = "ACTIVE"
	AppStaged        AppStatus = "STAGED"
	AppSuspended     AppStatus = "SUSPENDED"
	AppDeprovisioned AppStatus = "DEPROVISIONED"
)

// Enabled says whether an application user with this status should have an account.
func (s AppStatus) Enabled() bool { return s != AppSuspended && s != AppDeprovisioned }

// PushStatus is the status of a group push mapping (page "Group Push Mappings").
type PushStatus string

// The statuses of a mapping. Okta sets PushError by itself when the latest push failed; the other two are the
// administrator's.
const (
	PushActive   PushStatus = "ACTIVE"
	PushInactive PushStatus = "INACTIVE"
	PushError    PushStatus = "ERROR"
)

// OktaProfile is the profile of an Okta user.
type OktaProfile struct {
	Login       string
	Email       string
	FirstName   string
	LastName    string
	DisplayName string
	Title       string
	Department  string
	Locale      string
}

// OktaUser is a person in the org (page "Users").
type OktaUser struct {
	ID            string
	Status        OktaStatus
	Profile       OktaProfile
	Created       time.Time
	Activated     time.Time
	StatusChanged time.Time
	LastUpdated   time.Time
}

// OktaGroup is a group of the org (page "Groups").
type OktaGroup struct {
	ID                    string
	Name                  string
	Description           string
	Created               time.Time
	LastUpdated           time.Time
	LastMembershipUpdated time.Time
}

// AppProfile is the profile of an application user: what the application is told of a person. It is mapped from the
// user's profile, and can differ from it attribute by attribute.
type AppProfile struct {
	Email       string
	GivenName   string
	FamilyName  string
	DisplayName string
	Title       string
	Department  string
	Locale      string
}

// AppUser is a person's assignment to the application (page "Application Users").
type AppUser struct {
	ID            string // of the user
	UserName      string // credentials.userName
	Direct        bool   // scope USER: assigned themselves; scope GROUP otherwise
	Status        AppStatus
	Profile       AppProfile
	Created       time.Time
	LastUpdated   time.Time
	StatusChanged time.Time
}

// GroupAssignment is a group's assignment to the application (page "Application Groups").
type GroupAssignment struct {
	GroupID     string
	Priority    int
	LastUpdated time.Time
}

// PushMapping is a group push mapping of the application.
type PushMapping struct {
	ID            string
	SourceGroupID string
	TargetGroupID string // of the application's group in Okta, not at the SCIM server
	Status        PushStatus
	ErrorSummary  string
	Created       time.Time
	LastUpdated   time.Time
}

// oktaDirectory is the state of an org. Objects are replaced, never altered in place, so that every step can be undone.
type oktaDirectory struct {
	users      map[string]*OktaUser
	userIDs    idset
	logins     map[string]string // folded login to id
	emails     otherMails
	groups     map[string]*OktaGroup
	groupIDs   idset
	members    map[string]*idset
	memberOf   map[string]*idset
	appUsers   map[string]*AppUser
	appUserIDs idset
	assigned   map[string]*GroupAssignment
	assignIDs  idset
	mappings   map[string]*PushMapping // by source group
	mappingIDs idset                   // source groups
	version    int                     // how many changes made it what it is
}

func newOktaDirectory() *oktaDirectory {
	return &oktaDirectory{
		users: map[string]*OktaUser{}, logins: map[string]string{}, emails: otherMails{}, groups: map[string]*OktaGroup{},
		members: map[string]*idset{}, memberOf: map[string]*idset{}, appUsers: map[string]*AppUser{},
		assigned: map[string]*GroupAssignment{}, mappings: map[string]*PushMapping{},
	}
}

// oktaStep alters the directory and returns the step that undoes it. A nil value means that the entry goes.
type oktaStep func(d *oktaDirectory) oktaStep

func setOktaUser(id string, u *OktaUser) oktaStep {
	return func(d *oktaDirectory) oktaStep {
		old := d.users[id]
		if old != nil {
			delete(d.logins, fold(old.Profile.Login))
			d.emails.set(old.Profile.Email, old.Profile.Login, id, false)
		}
		if u != nil {
			d.logins[fold(u.Profile.Login)] = id
			d.emails.set(u.Profile.Email, u.Profile.Login, id, true)
		}
		put(d.users, id, u)
		d.userIDs.set(id, u != nil)
		return setOktaUser(id, old)
	}
}

// setEntry sets one entry of a map and of the sorted set of its keys.
func setEntry[V any](of func(d *oktaDirectory) (map[string]*V, *idset), id string, v *V) oktaStep {
	return func(d *oktaDirectory) oktaStep {
		m, ids := of(d)
		old := m[id]
		put(m, id, v)
		ids.set(id, v != nil)
		return setEntry(of, id, old)
	}
}

func setOktaGroup(id string, g *OktaGroup) oktaStep {
	return setEntry(func(d *oktaDirectory) (map[string]*OktaGroup, *idset) { return d.groups, &d.groupIDs }, id, g)
}

func setAppUser(id string, a *AppUser) oktaStep {
	return setEntry(func(d *oktaDirectory) (map[string]*AppUser, *idset) { return d.appUsers, &d.appUserIDs }, id, a)
}

func setAssignment(id string, a *GroupAssignment) oktaStep {
	return setEntry(func(d *oktaDirectory) (map[string]*GroupAssignment, *idset) { return d.assigned, &d.assignIDs }, id, a)
}

func setMapping(source string, m *PushMapping) oktaStep {
	return setEntry(func(d *oktaDirectory) (map[string]*PushMapping, *idset) { return d.mappings, &d.mappingIDs }, source, m)
}

func setOktaMember(group, user string, in bool) oktaStep {
	return func(d *oktaDirectory) oktaStep {
		was := d.members[group].has(user)
		edge(d.members, group, user, in)
		edge(d.memberOf, user, group, in)
		return setOktaMember(group, user, was)
	}
}

// resolve finds a user by id or login, as /users/{id} does.
func (d *oktaDirectory) resolve(key string) *OktaUser {
	if u := d.users[key]; u != nil {
		return u
	}
	return d.users[d.logins[fold(key)]]
}

// byAssignedGroup says whether an assigned group holds the user.
func (d *oktaDirectory) byAssignedGroup(id string) bool {
	for _, g := range d.memberOf[id].all() {
		if d.assigned[g] != nil {
			return true
		}
	}
	return false
}

// wanted says whether the person should have an account: an application user, enabled by both statuses.
func (d *oktaDirectory) wanted(id string) bool {
	u, a := d.users[id], d.appUsers[id]
	return u != nil && a != nil && u.Status.Enabled() && a.Status.Enabled()
}

// oktaID returns an id of Okta's shape: a prefix that tells the type, and letters and digits up to 20 characters.
func oktaID(prefix string, rng *rand.Rand) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := []byte(prefix)
	for len(out) < 20 {
		out = append(out, alphabet[rng.IntN(len(alphabet))])
	}
	return string(out)
}

// appUserName and appProfile are the application's mapping: what it is told of a user unless overridden.
func appUserName(u *OktaUser) string { return u.Profile.Login }

func appProfile(u *OktaUser) AppProfile {
	p := u.Profile
	return AppProfile{
		Email: p.Email, GivenName: p.FirstName, FamilyName: p.LastName, DisplayName: p.DisplayName, Title: p.Title,
		Department: p.Department, Locale: p.Locale,
	}
}
