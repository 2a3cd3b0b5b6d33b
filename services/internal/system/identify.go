package system

import (
	"fmt"
	"net/http"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/scan/schedulehttp"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// who is the identity that the door found out.
func who(r *http.Request) (*auth.Identity, error) {
	i := auth.FromContext(r.Context())
	if i == nil {
		return nil, fmt.Errorf("nobody was found out to send this: %w", fault.Unauthenticated)
	}
	return i, nil
}

// member is an identity of a tenant that has one of some rights.
func member(r *http.Request, scopes ...string) (*auth.Identity, error) {
	i, err := who(r)
	if err != nil {
		return nil, err
	}
	if i.Tenant == "" {
		return nil, fmt.Errorf("this token is of no tenant: %w", fault.Forbidden)
	}
	for _, s := range scopes {
		if i.Has(s) {
			return i, nil
		}
	}
	return nil, fmt.Errorf("this needs one of the rights %q: %w", scopes, fault.Forbidden)
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

func scannerIdentity(r *http.Request) (scanhttp.Identity, error) {
	needs := []string{auth.ScannerScan, auth.ScannerWork}
	if reads(r) {
		needs = append(needs, auth.ScannerRead)
	}
	i, err := member(r, needs...)
	if err != nil {
		return scanhttp.Identity{}, err
	}
	return scanhttp.Identity{Tenant: i.Tenant, Subject: i.Subject, Worker: i.Has(auth.ScannerWork)}, nil
}

func advisoryIdentity(r *http.Request) (advisoryhttp.Identity, error) {
	i, err := who(r)
	if err == nil && !i.Has(auth.AdvisoryRead) && !i.Has(auth.AdvisoryManage) {
		err = fmt.Errorf("this needs the right %s: %w", auth.AdvisoryRead, fault.Forbidden)
	}
	if err != nil {
		return advisoryhttp.Identity{}, err
	}
	return advisoryhttp.Identity{Subject: i.Subject, Operator: i.Has(auth.AdvisoryManage)}, nil
}

func vexIdentity(r *http.Request) (vexhttp.Identity, error) {
	i, err := who(r)
	if err == nil && !i.Has(auth.VEXRead) && !i.Has(auth.VEXIngest) && !i.Has(auth.VEXAdmin) && !i.Has(auth.VEXManage) {
		err = fmt.Errorf("this needs the right %s: %w", auth.VEXRead, fault.Forbidden)
	}
	if err != nil {
		return vexhttp.Identity{}, err
	}
	return vexhttp.Identity{Tenant: i.Tenant, Subject: i.Subject, Writer: i.Has(auth.VEXIngest), Admin: i.Has(auth.VEXAdmin), Operator: i.Has(auth.VEXManage)}, nil
}

func policyIdentity(r *http.Request) (policyhttp.Identity, error) {
	i, err := member(r, auth.PolicyRead, auth.PolicyAuthor, auth.ExceptionWrite)
	if err != nil {
		return policyhttp.Identity{}, err
	}
	return policyhttp.Identity{Tenant: i.Tenant, Subject: i.Subject, Author: i.Has(auth.PolicyAuthor), Approver: i.Has(auth.ExceptionWrite)}, nil
}

func signIdentity(r *http.Request) (attesthttp.Identity, error) {
	i, err := member(r, auth.AttestSign)
	if err != nil {
		return attesthttp.Identity{}, err
	}
	return attesthttp.Identity{Tenant: i.Tenant, Subject: i.Subject}, nil
}

func attestIdentity(r *http.Request) (attesthttp.Identity, error) {
	needs := []string{auth.AttestSign}
	if reads(r) || r.URL.Path == "/api/v1/attestations/verify" {
		needs = append(needs, auth.AttestRead)
	}
	i, err := member(r, needs...)
	if err != nil {
		return attesthttp.Identity{}, err
	}
	return attesthttp.Identity{Tenant: i.Tenant, Subject: i.Subject}, nil
}

func exportIdentity(r *http.Request) (attesthttp.Identity, error) {
	i, err := member(r, auth.ScannerExport, auth.ExportOperate)
	if err != nil {
		return attesthttp.Identity{}, err
	}
	return attesthttp.Identity{Tenant: i.Tenant, Subject: i.Subject, Operator: i.Has(auth.ExportOperate)}, nil
}

func notifyIdentity(r *http.Request) (notifyhttp.Identity, error) {
	i, err := member(r, auth.NotifyViewer, auth.NotifyOperator)
	if err != nil {
		return notifyhttp.Identity{}, err
	}
	return notifyhttp.Identity{Tenant: i.Tenant, Subject: i.Subject, Operator: i.Has(auth.NotifyOperator), Payloads: i.Has(auth.NotifyPayloads), Auditor: i.Has(auth.TimelineRead)}, nil
}

func timelineIdentity(r *http.Request) (notifyhttp.Identity, error) {
	i, err := member(r, auth.TimelineRead)
	if err != nil {
		return notifyhttp.Identity{}, err
	}
	return notifyhttp.Identity{Tenant: i.Tenant, Subject: i.Subject, Auditor: true}, nil
}

func scheduleIdentity(r *http.Request) (schedulehttp.Identity, error) {
	i, err := member(r, auth.SchedulerRead, auth.SchedulerWrite)
	if err != nil {
		return schedulehttp.Identity{}, err
	}
	return schedulehttp.Identity{Tenant: i.Tenant, Subject: i.Subject, Operator: i.Has(auth.SchedulerWrite)}, nil
}
