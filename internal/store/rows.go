package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// The row types below hold one table's columns each, in the order of the migrations.

type memberRow struct {
	OrgID        string `db:"org_id"`
	ID           string `db:"id"`
	Attributes   string `db:"attributes"`
	Status       string `db:"status"`
	Prior        string `db:"prior_status"`
	OffBy        string `db:"off_by"`
	Source       string `db:"source"`
	Role         string `db:"role"`
	ConnectionID string `db:"connection_id"`
	UserNameBy   string `db:"user_name_by"`
	ExternalIDBy string `db:"external_id_by"`
	Version      int64  `db:"version"`
	Seq          int64  `db:"seq"`
	PushedSeq    int64  `db:"pushed_seq"`
	PushedAt     int64  `db:"pushed_at"`
	CreatedAt    int64  `db:"created_at"`
	UpdatedAt    int64  `db:"updated_at"`
}

// memberColumns reads a member; what is left out is derived from attributes when it is written.
const memberColumns = `m.org_id, m.id, m.attributes, m.status, m.prior_status, m.off_by, m.source, m.role, m.connection_id,
	m.user_name_by, m.external_id_by, m.version, m.seq, m.pushed_seq, m.pushed_at, m.created_at, m.updated_at`

func (r *memberRow) member() (roster.Member, error) {
	m := roster.Member{
		ID: r.ID, Org: r.OrgID, Status: roster.Status(r.Status), Prior: roster.Status(r.Prior), OffBy: roster.Writer(r.OffBy),
		Source: roster.Source(r.Source), Role: roster.Role(r.Role), Connection: r.ConnectionID,
		UserNameBy: roster.Writer(r.UserNameBy), ExternalIDBy: roster.Writer(r.ExternalIDBy), Version: r.Version, Seq: r.Seq,
		PushedSeq: r.PushedSeq, PushedAt: fromMicros(r.PushedAt), CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
	if err := json.Unmarshal([]byte(r.Attributes), &m.Attributes); err != nil {
		return m, fmt.Errorf("read the attributes of member %s: %w", r.ID, err)
	}
	return m, nil
}

func membersOf(rows []memberRow) ([]roster.Member, error) {
	out := make([]roster.Member, len(rows))
	for i := range rows {
		m, err := rows[i].member()
		if err != nil {
			return nil, err
		}
		out[i] = m
	}
	return out, nil
}

type teamRow struct {
	OrgID        string `db:"org_id"`
	ID           string `db:"id"`
	DisplayName  string `db:"display_name"`
	ExternalID   string `db:"external_id"`
	Status       string `db:"status"`
	Source       string `db:"source"`
	ConnectionID string `db:"connection_id"`
	ExternalIDBy string `db:"external_id_by"`
	Version      int64  `db:"version"`
	Seq          int64  `db:"seq"`
	PushedSeq    int64  `db:"pushed_seq"`
	PushedAt     int64  `db:"pushed_at"`
	CreatedAt    int64  `db:"created_at"`
	UpdatedAt    int64  `db:"updated_at"`
	Listings     int64  `db:"listings"`
	ListedSeq    int64  `db:"listed_seq"`
	Pending      int64  `db:"pending"`
	Nested       int64  `db:"nested"`
}

const teamColumns = `t.org_id, t.id, t.display_name, t.external_id, t.status, t.source, t.connection_id, t.external_id_by,
	t.version, t.seq, t.pushed_seq, t.pushed_at, t.created_at, t.updated_at, t.listings, t.listed_seq, t.pending, t.nested`

func (r *teamRow) team() roster.Team {
	return roster.Team{
		ID: r.ID, Org: r.OrgID, DisplayName: r.DisplayName, ExternalID: r.ExternalID, Status: roster.Status(r.Status),
		Source: roster.Source(r.Source), Connection: r.ConnectionID, ExternalIDBy: roster.Writer(r.ExternalIDBy),
		Version: r.Version, Seq: r.Seq, PushedSeq: r.PushedSeq, PushedAt: fromMicros(r.PushedAt),
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
		Listings: r.Listings, ListedSeq: r.ListedSeq, Pending: r.Pending, Nested: r.Nested,
	}
}

func teamsOf(rows []teamRow) []roster.Team {
	out := make([]roster.Team, len(rows))
	for i := range rows {
		out[i] = rows[i].team()
	}
	return out
}

type membershipRow struct {
	OrgID    string `db:"org_id"`
	TeamID   string `db:"team_id"`
	MemberID string `db:"member_id"`
	Present  bool   `db:"present"`
	Version  int64  `db:"version"`
	Seq      int64  `db:"seq"`
	PushedAt int64  `db:"pushed_at"`
}

func (r *membershipRow) membership() roster.Membership {
	return roster.Membership{
		Org: r.OrgID, TeamID: r.TeamID, MemberID: r.MemberID, Present: r.Present, Version: r.Version, Seq: r.Seq,
		PushedAt: fromMicros(r.PushedAt),
	}
}

func membershipsOf(rows []membershipRow) []roster.Membership {
	out := make([]roster.Membership, len(rows))
	for i := range rows {
		out[i] = rows[i].membership()
	}
	return out
}

type linkRow struct {
	OrgID          string `db:"org_id"`
	ConnectionID   string `db:"connection_id"`
	Type           string `db:"type"`
	ObjectID       string `db:"object_id"`
	TargetID       string `db:"target_id"`
	State          string `db:"state"`
	SeenUserName   string `db:"seen_user_name"`
	SeenExternalID string `db:"seen_external_id"`
	Seen           []byte `db:"seen"`
	Here           []byte `db:"here"`
	Rule           string `db:"rule"`
	CreatedAt      int64  `db:"created_at"`
}

const linkColumns = `l.org_id, l.connection_id, l.type, l.object_id, l.target_id, l.state, l.seen_user_name,
	l.seen_external_id, l.seen, l.here, l.rule, l.created_at`

func (r *linkRow) link() roster.Link {
	return roster.Link{
		Org: r.OrgID, Connection: r.ConnectionID, Type: roster.ObjectType(r.Type), ObjectID: r.ObjectID, TargetID: r.TargetID,
		State: roster.LinkState(r.State), SeenUserName: r.SeenUserName, SeenExternalID: r.SeenExternalID, Seen: r.Seen,
		Here: r.Here, Rule: r.Rule, CreatedAt: fromMicros(r.CreatedAt),
	}
}

func linksOf(rows []linkRow) []roster.Link {
	out := make([]roster.Link, len(rows))
	for i := range rows {
		out[i] = rows[i].link()
	}
	return out
}

type connectionRow struct {
	OrgID          string `db:"org_id"`
	ID             string `db:"id"`
	Name           string `db:"name"`
	Kind           string `db:"kind"`
	State          string `db:"state"`
	DetachedReason string `db:"detached_reason"`
	Target         string `db:"target"`
	Pinned         string `db:"pinned"`
	Settings       string `db:"settings"`
	Settled        bool   `db:"settled"`
	Managed        string `db:"managed"`
	AdoptLocal     bool   `db:"adopt_local"`
	Settle         int64  `db:"settle"`
	Fence          int64  `db:"fence"`
	CreatedAt      int64  `db:"created_at"`
	UpdatedAt      int64  `db:"updated_at"`
	PausedAt       int64  `db:"paused_at"`
	PausedUntil    int64  `db:"paused_until"`
	PauseReason    string `db:"pause_reason"`
	PausedBy       string `db:"paused_by"`
}

const connectionColumns = `org_id, id, name, kind, state, detached_reason, target, pinned, settings, settled, managed,
	adopt_local, settle, fence, created_at, updated_at, paused_at, paused_until, pause_reason, paused_by`

func (r *connectionRow) connection() (roster.Connection, error) {
	c := roster.Connection{
		ID: r.ID, Org: r.OrgID, Name: r.Name, Kind: roster.ConnectionKind(r.Kind), State: roster.ConnectionState(r.State),
		DetachedReason: r.DetachedReason, Target: r.Target, Pinned: r.Pinned, Settings: r.Settings, Settled: r.Settled,
		AdoptLocal: r.AdoptLocal, Settle: time.Duration(r.Settle), Fence: r.Fence,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
	if r.PausedAt > 0 {
		c.Pause = &roster.Pause{Since: fromMicros(r.PausedAt), Until: fromMicros(r.PausedUntil), Reason: r.PauseReason, By: r.PausedBy}
	}
	if err := json.Unmarshal([]byte(r.Managed), &c.Managed); err != nil {
		return c, fmt.Errorf("read the managed attributes of connection %s: %w", r.Name, err)
	}
	return c, nil
}

func connectionsOf(rows []connectionRow) ([]roster.Connection, error) {
	out := make([]roster.Connection, len(rows))
	for i := range rows {
		c, err := rows[i].connection()
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

type tokenRow struct {
	OrgID          string `db:"org_id"`
	ID             string `db:"id"`
	Name           string `db:"name"`
	ConnectionID   string `db:"connection_id"`
	Hash           []byte `db:"hash"`
	Disabled       bool   `db:"disabled"`
	ExpiresAt      int64  `db:"expires_at"`
	LastUsedAt     int64  `db:"last_used_at"`
	CreatedAt      int64  `db:"created_at"`
	Sources        string `db:"sources"`
	Rate           int    `db:"rate"`
	Warned         int    `db:"warned"`
	ConnectionName string `db:"connection_name"`
}

//nolint:gosec // columns, no secret
const tokenSelect = `SELECT t.org_id, t.id, t.name, t.connection_id, t.hash, t.disabled, t.expires_at, t.last_used_at,
	t.created_at, t.sources, t.rate, t.warned, COALESCE(c.name, '') AS connection_name
	FROM tokens t LEFT JOIN connections c ON c.org_id = t.org_id AND c.id = t.connection_id `

func (r *tokenRow) token() roster.Token {
	return roster.Token{
		ID: r.ID, Org: r.OrgID, Name: r.Name, Connection: r.ConnectionID, ConnectionName: r.ConnectionName, Hash: r.Hash,
		Disabled: r.Disabled, ExpiresAt: fromMicros(r.ExpiresAt), LastUsedAt: fromMicros(r.LastUsedAt), CreatedAt: fromMicros(r.CreatedAt),
		Sources: sourcesOf(r.Sources), Rate: r.Rate, Warned: r.Warned,
	}
}

func tokensOf(rows []tokenRow) []roster.Token {
	out := make([]roster.Token, len(rows))
	for i := range rows {
		out[i] = rows[i].token()
	}
	return out
}

type apiKeyRow struct {
	OrgID     string `db:"org_id"`
	ID        string `db:"id"`
	Name      string `db:"name"`
	Role      string `db:"role"`
	Hash      []byte `db:"hash"`
	ExpiresAt int64  `db:"expires_at"`
	CreatedAt int64  `db:"created_at"`
}

//nolint:gosec // columns, no secret
const apiKeyColumns = `org_id, id, name, role, hash, expires_at, created_at`

func (r *apiKeyRow) key() roster.APIKey {
	return roster.APIKey{
		ID: r.ID, Org: r.OrgID, Name: r.Name, Role: roster.Role(r.Role), Hash: r.Hash, ExpiresAt: fromMicros(r.ExpiresAt),
		CreatedAt: fromMicros(r.CreatedAt),
	}
}

func keysOf(rows []apiKeyRow) []roster.APIKey {
	out := make([]roster.APIKey, len(rows))
	for i := range rows {
		out[i] = rows[i].key()
	}
	return out
}

type runRow struct {
	OrgID          string `db:"org_id"`
	ID             string `db:"id"`
	ConnectionID   string `db:"connection_id"`
	Mode           string `db:"mode"`
	State          string `db:"state"`
	RequestedBy    string `db:"requested_by"`
	Complete       bool   `db:"complete"`
	Held           string `db:"held"`
	Totals         string `db:"totals"`
	Error          string `db:"error"`
	Fault          string `db:"fault"`
	Fence          int64  `db:"fence"`
	LeaseHolder    string `db:"lease_holder"`
	LeaseUntil     int64  `db:"lease_until"`
	Cancel         bool   `db:"cancel"`
	Approval       bool   `db:"approval"`
	Approver       string `db:"approver"`
	Pages          int    `db:"pages"`
	Objects        int    `db:"objects"`
	Expected       int    `db:"expected"`
	Estimate       bool   `db:"expected_estimate"`
	Applied        int    `db:"applied"`
	Phase          string `db:"phase"`
	Note           string `db:"note"`
	Said           string `db:"said"`
	CreatedAt      int64  `db:"created_at"`
	StartedAt      int64  `db:"started_at"`
	FinishedAt     int64  `db:"finished_at"`
	Timings        string `db:"timings"`
	Dropped        int    `db:"dropped"`
	ConnectionName string `db:"connection_name"`
}

// measured is what the column timings holds, as JSON: how long the phases of a run took, and how many objects were compared.
type measured struct {
	roster.Timings
	Compared int `json:"compared,omitempty"`
}

const runSelect = `SELECT r.org_id, r.id, r.connection_id, r.mode, r.state, r.requested_by, r.complete, r.held, r.totals, r.error, r.fault,
	r.fence, r.lease_holder, r.lease_until, r.cancel, r.approval, r.approver, r.pages, r.objects, r.expected, r.expected_estimate, r.applied, r.phase, r.note, r.said,
	r.created_at, r.started_at, r.finished_at, r.timings, r.dropped, COALESCE(c.name, '') AS connection_name
	FROM runs r LEFT JOIN connections c ON c.org_id = r.org_id AND c.id = r.connection_id `

func (r *runRow) run() (roster.Run, error) {
	out := roster.Run{
		ID: r.ID, Org: r.OrgID, Connection: r.ConnectionID, ConnectionName: r.ConnectionName, Mode: roster.Mode(r.Mode),
		State: roster.RunState(r.State), RequestedBy: r.RequestedBy, Complete: r.Complete, Error: r.Error, Fault: r.Fault, Fence: r.Fence,
		LeaseHolder: r.LeaseHolder, LeaseUntil: fromMicros(r.LeaseUntil), Cancel: r.Cancel, Approval: r.Approval,
		Approver: r.Approver, Pages: r.Pages, Objects: r.Objects, Expected: r.Expected, ExpectedEstimate: r.Estimate, Applied: r.Applied, Phase: r.Phase, Note: r.Note,
		CreatedAt: fromMicros(r.CreatedAt), StartedAt: fromMicros(r.StartedAt), FinishedAt: fromMicros(r.FinishedAt),
	}
	if err := json.Unmarshal([]byte(r.Held), &out.Held); err != nil {
		return out, fmt.Errorf("read what run %s holds: %w", r.ID, err)
	}
	if r.Said != "" {
		if err := json.Unmarshal([]byte(r.Said), &out.Said); err != nil {
			return out, fmt.Errorf("read what run %s saw: %w", r.ID, err)
		}
	}
	if out.PlanDropped = r.Dropped > 0; r.Timings != "" {
		var m measured
		if err := json.Unmarshal([]byte(r.Timings), &m); err != nil {
			return out, fmt.Errorf("read how long run %s took: %w", r.ID, err)
		}
		out.Timings, out.Compared = m.Timings, m.Compared
	}
	if err := json.Unmarshal([]byte(r.Totals), &out.Totals); err != nil {
		return out, fmt.Errorf("read the totals of run %s: %w", r.ID, err)
	}
	return out, nil
}

func runsOf(rows []runRow) ([]roster.Run, error) {
	out := make([]roster.Run, len(rows))
	for i := range rows {
		r, err := rows[i].run()
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}
