package entra

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/auditlogs"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

const (
	// causesBack is how far back the first look goes: the log is kept so long in every tenant.
	causesBack = 7 * 24 * time.Hour
	// causesLate is how late an entry may turn up: what is younger than the newest one by less is asked for again.
	causesLate = 30 * time.Minute
	// causePages bounds one look at the log; the next goes on from there.
	causePages = 20
	// vianetHost is the Graph of the one cloud in which the log can't be asked for (page "List provisioningObjectSummary").
	vianetHost = "microsoftgraph.chinacloudapi.cn"
)

// Causes reads what a provisioning job skipped and what it failed at (Graph documentation, "List
// provisioningObjectSummary"; $filter knows eq, contains, gt and lt there, and no or). The cursor is, for each of the
// two, the time to go on from. It needs AuditLog.Read.All and Directory.Read.All.
func (c *Connector) Causes(ctx context.Context, jobID, cursor string, each func([]connectors.Cause) error) (string, error) {
	if c.origin.Host == vianetHost {
		return cursor, &connectors.Error{Fault: connectors.NotFound, Message: "The cloud operated by 21Vianet has no provisioning log"}
	}
	ctx = c.budgeted(ctx)
	oldest := time.Now().UTC().Add(-causesBack)
	from := strings.Fields(cursor)
	var next []string
	for i, status := range []string{"failure", "skipped"} {
		since := oldest // what is older than the log is kept for is refused by some tenants
		if i < len(from) {
			if at, err := time.Parse(time.RFC3339, from[i]); err == nil && at.After(oldest) {
				since = at
			}
		}
		reached, err := c.causes(ctx, jobID, status, since, each)
		if err != nil {
			return cursor, err
		}
		next = append(next, reached.Format(time.RFC3339))
	}
	return strings.Join(next, " "), nil
}

// causes reads the entries of one status and returns from when on to look the next time.
func (c *Connector) causes(ctx context.Context, jobID, status string, since time.Time, each func([]connectors.Cause) error) (time.Time, error) {
	newest, pages := since, 0
	read := c.provisioningLog(jobID, status, since)
	for link := ""; ; {
		p, err := read(ctx, link)
		if err != nil {
			return since, err
		}
		var page []connectors.Cause
		for _, item := range p.Items {
			if item == nil {
				continue
			}
			if at := when(item.GetActivityDateTime()); at.After(newest) {
				newest = at
			}
			if cause, ok := causeOf(item); ok {
				page = append(page, cause)
			}
		}
		if len(page) > 0 {
			if err := each(page); err != nil {
				return since, err
			}
		}
		pages++
		switch {
		case p.Next == "" && newest.Add(-causesLate).Before(since):
			return since, nil
		case p.Next == "":
			return newest.Add(-causesLate), nil
		case p.Next == link:
			return since, &connectors.Error{Fault: connectors.Broken, Message: "The link to the next page leads to the same page"}
		case pages == causePages:
			return newest, nil
		}
		link = p.Next
	}
}

// provisioningLog lists a job's entries of one status, the oldest first, so that a look that ends early can be gone on
// with.
func (c *Connector) provisioningLog(jobID, status string, since time.Time) connectors.Fetch[models.ProvisioningObjectSummaryable] {
	a := ask{what: "the provisioning log", grant: "AuditLog.Read.All and Directory.Read.All"}
	filter := fmt.Sprintf("activityDateTime gt %s and provisioningStatusInfo/status eq '%s'", since.Format(time.RFC3339), status)
	if jobID != "" {
		filter += " and " + equals("jobId", jobID)
	}
	top := pageSize
	q := auditlogs.ProvisioningRequestBuilderGetQueryParameters{Filter: &filter, Orderby: []string{"activityDateTime asc"}, Top: &top}
	cfg := auditlogs.ProvisioningRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	first := auditlogs.NewAuditLogsRequestBuilderInternal(map[string]string{}, c.adapter).Provisioning()
	return func(ctx context.Context, link string) (connectors.Page[models.ProvisioningObjectSummaryable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.ProvisioningObjectSummaryCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// causeOf converts an entry (Graph documentation, "provisioningObjectSummary resource type"). Entries about anything but
// people and groups, and those that went well, are none.
func causeOf(item models.ProvisioningObjectSummaryable) (connectors.Cause, bool) {
	source := item.GetSourceIdentity()
	if source == nil || text(source.GetId()) == "" || text(item.GetId()) == "" {
		return connectors.Cause{}, false
	}
	out := connectors.Cause{
		ID: text(item.GetId()), At: when(item.GetActivityDateTime()), ObjectID: strings.ToLower(text(source.GetId())), Name: text(source.GetDisplayName()),
	}
	switch kind := text(source.GetIdentityType()); {
	case strings.EqualFold(kind, "Group"):
		out.Group = true
	case !strings.EqualFold(kind, "User"):
		return connectors.Cause{}, false
	}
	if a := item.GetProvisioningAction(); a != nil {
		out.Action = a.String()
	}
	info := item.GetProvisioningStatusInfo()
	if info == nil || info.GetStatus() == nil {
		return connectors.Cause{}, false
	}
	switch *info.GetStatus() {
	case models.FAILURE_PROVISIONINGRESULT:
		out.Outcome = connectors.CauseFailed
	case models.SKIPPED_PROVISIONINGRESULT:
		out.Outcome = connectors.CauseSkipped
	default:
		return connectors.Cause{}, false
	}
	if e := info.GetErrorInformation(); e != nil {
		out.Reason, out.Text = text(e.GetErrorCode()), text(e.GetReason())
	}
	for _, step := range item.GetProvisioningSteps() {
		fromStep(&out, step)
	}
	if out.Reason == "" {
		out.Reason = map[connectors.CauseOutcome]string{connectors.CauseFailed: "Failed", connectors.CauseSkipped: "Skipped"}[out.Outcome]
	}
	return out, true
}

// fromStep takes the reason of a skip, which stands in the details of the step that skipped, and where an error says
// nothing, what the failing step says.
func fromStep(out *connectors.Cause, step models.ProvisioningStepable) {
	if step == nil {
		return
	}
	reason := ""
	if details := step.GetDetails(); details != nil {
		if s, ok := details.GetAdditionalData()["SkipReason"].(*string); ok {
			reason = text(s)
		}
	}
	status := step.GetStatus()
	amiss := status != nil && (*status == models.FAILURE_PROVISIONINGRESULT || *status == models.SKIPPED_PROVISIONINGRESULT)
	if out.Outcome == connectors.CauseSkipped && reason != "" {
		out.Reason = reason
	}
	if (amiss || reason != "") && out.Text == "" {
		out.Text = text(step.GetDescription())
	}
}
