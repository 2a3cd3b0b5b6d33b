package vex

import (
	"slices"
	"strings"
	"time"
)

// Value is what a tier says: a point of Belnap's lattice.
type Value uint8

// The values.
const (
	SaysNothing  Value = 0
	SaysAffected Value = 1
	SaysSafe     Value = 2
	SaysBoth     Value = SaysAffected | SaysSafe
)

// Join is the least value that holds what both say. It is commutative, associative
// and idempotent.
func (v Value) Join(w Value) Value { return v | w }

// String returns the value's name.
func (v Value) String() string {
	return [...]string{"none", "affected", "safe", "both"}[v&SaysBoth]
}

// Standing says what a claim is worth.
type Standing string

// The standings. Only Counts decides and only Informs speaks beside it.
const (
	Counts          Standing = "counts"
	Informs         Standing = "informs"        // under_investigation
	Superseded      Standing = "superseded"     // its issuer said something newer
	Copied          Standing = "copy"           // its issuer's claim is there already
	BadSignature    Standing = "bad_signature"  // the signature is not of these bytes
	UnknownIssuer   Standing = "unknown_issuer" // the trust names nobody who said it
	OutOfScope      Standing = "out_of_scope"   // its issuer may not speak about this product
	UnsignedClaim   Standing = "unsigned"       // its issuer may not say this without a signature
	Incomplete      Standing = "incomplete"     // not_affected without a justification or an impact statement
	VersionUnproven Standing = "no_version"     // fixed, without the version that is there
	NotYet          Standing = "not_yet"        // its time has not come
	Expired         Standing = "expired"        // its validity, or the issuer's max_age, is over
)

// Judgement is a claim with what it is worth.
type Judgement struct {
	Claim
	Standing Standing
	// Issuer is who said it, nil where nobody is known.
	Issuer *Issuer
}

// Consensus is what is decided. The zero Consensus says that nobody who is
// entitled has said anything.
type Consensus struct {
	// Status is "" where nobody decides.
	Status Status
	// Value is what the deciding tier says, and Tier its number; 0 for none.
	Value Value
	Tier  int
	// Disputed says that somebody who is entitled contradicts: within the tier, or
	// in a lower one.
	Disputed bool
	// Signed says that the deciding claims have verified signatures.
	Signed bool
	// Deciding are indexes of the fewest claims from which the same follows: one,
	// or two that contradict each other.
	Deciding []int
	// Against are indexes of the claims that count and say otherwise, in the
	// deciding tier and below; Informing those that inform.
	Against, Informing []int
	// Claims are all claims, in the order of their statements' IDs and products,
	// with what each is worth. The indexes are into it.
	Claims []Judgement
	// NextChange is the earliest time after the evaluation at which one of these
	// claims may be worth something else; zero means never. Until then the same
	// claims give the same result.
	NextChange time.Time
}

// Resolve decides between claims as of a time. It is [Judge.Resolve] with a trust
// that was not made ready before.
func Resolve(claims []Claim, trust *Trust, at time.Time) (*Consensus, error) {
	j, err := trust.Judge()
	if err != nil {
		return nil, err
	}
	return j.Resolve(claims, at), nil
}

// Resolve decides between claims as of a time. It is a pure function of the set of
// claims: their order and repetitions do not matter. It takes time linear in their
// number, apart from sorting those that are not in order.
func (j *Judge) Resolve(claims []Claim, at time.Time) *Consensus {
	out := new(Consensus)
	if len(claims) == 0 {
		return out
	}
	r := resolution{judge: j, at: at, out: out}
	r.judgeAll(claims)
	r.supersede()
	r.decide()
	return out
}

// resolution is one run of Resolve.
type resolution struct {
	judge *Judge
	at    time.Time
	out   *Consensus
	buf   [8]int
	by    []int // the issuer of each claim, -1 for none
}

// judgeAll brings the claims into their order, without repetitions, and says what
// each is worth by itself.
func (r *resolution) judgeAll(claims []Claim) {
	list := make([]Judgement, len(claims))
	for i, c := range claims {
		list[i].Claim = c
	}
	if !slices.IsSortedFunc(list, orderClaims) {
		slices.SortFunc(list, orderClaims)
	}
	list = slices.CompactFunc(list, func(a, b Judgement) bool { return orderClaims(a, b) == 0 })
	r.by = r.buf[:0]
	for i := range list {
		c := &list[i]
		n := r.judge.issuerOf(c)
		if n >= 0 {
			c.Issuer = &r.judge.issuers[n].Issuer
		}
		c.Standing = r.standing(c, n)
		r.by = append(r.by, n)
	}
	r.out.Claims = list
}

func orderClaims(a, b Judgement) int {
	if c := strings.Compare(a.Statement.ID, b.Statement.ID); c != 0 {
		return c
	}
	if a.Product != b.Product {
		return a.Product - b.Product
	}
	return a.Part - b.Part
}

// issuerOf returns who said a claim. For an unsigned one that is the issuer of the
// highest tier whose authority covers the product, or else of the highest tier.
func (j *Judge) issuerOf(c *Judgement) int {
	o := &c.Statement.Origin
	switch o.Signature {
	case Verified:
		return j.signer(o.Signer)
	case Bad:
		return -1
	}
	first := -1
	for _, n := range j.sources[o.Source] {
		i := &j.issuers[n]
		if len(i.Authors) > 0 && !slices.Contains(i.Authors, o.Author) {
			continue
		}
		if first < 0 {
			first = n
		}
		if i.covers(c) {
			return n
		}
	}
	return first
}

func (i *issuer) covers(c *Judgement) bool {
	p := &c.Statement.Products[c.Product]
	for k := range i.products {
		if i.products[k].Covers(p) {
			return true
		}
	}
	return false
}

// standing says what a claim is worth by itself, and when that changes.
func (r *resolution) standing(c *Judgement, n int) Standing {
	s := c.Statement
	switch {
	case s.Origin.Signature == Bad:
		return BadSignature
	case n < 0:
		return UnknownIssuer
	}
	i := &r.judge.issuers[n]
	switch {
	case !i.covers(c):
		return OutOfScope
	case s.Origin.Signature != Verified && i.unsigned&statusBit(s.Status) == 0:
		return UnsignedClaim
	case s.Status == UnderInvestigation:
		return Informs
	case s.Status == Affected:
		return Counts // what raises risk has no term
	case s.Status == NotAffected && s.Justification == "" && s.Impact == "":
		return Incomplete
	case s.Status == Fixed && !c.Versioned:
		return VersionUnproven
	case s.Time.After(r.at):
		r.changes(s.Time)
		return NotYet
	}
	end := s.Until
	if i.maxAge > 0 {
		if old := s.Time.Add(time.Duration(i.maxAge)); end.IsZero() || old.Before(end) {
			end = old
		}
	}
	if !end.IsZero() {
		if !r.at.Before(end) {
			return Expired
		}
		r.changes(end)
	}
	return Counts
}

func (r *resolution) changes(t time.Time) {
	if r.out.NextChange.IsZero() || t.Before(r.out.NextChange) {
		r.out.NextChange = t
	}
}

// latest is when one issuer said the newest of what it says: anything, an assurance
// that counts, and one that names the version.
type latest struct {
	issuer                         int
	any, safe, versioned           time.Time
	spoke, saysSafe, saysVersioned bool
}

// supersede takes out what an issuer has replaced by something newer, and copies.
//
// An assurance ends with whatever its issuer says later, also when that has expired
// since, or says too little to count: what was replaced does not come back. A warning ends with a later
// warning, and with a later assurance that is at least as precise about the version.
func (r *resolution) supersede() {
	if len(r.out.Claims) < 2 {
		return
	}
	var buf [4]latest
	known := buf[:0]
	var index map[int]int
	find := func(n int) *latest {
		if index != nil {
			k, ok := index[n]
			if !ok {
				k = len(known)
				index[n] = k
				known = append(known, latest{issuer: n})
			}
			return &known[k]
		}
		for k := range known {
			if known[k].issuer == n {
				return &known[k]
			}
		}
		known = append(known, latest{issuer: n})
		if len(known) > 16 {
			index = make(map[int]int, 2*len(known))
			for k := range known {
				index[known[k].issuer] = k
			}
		}
		return &known[len(known)-1]
	}
	for i := range r.out.Claims {
		switch c := &r.out.Claims[i]; c.Standing {
		case Counts, Informs, Expired, VersionUnproven, Incomplete:
			find(r.by[i]).hear(c)
		}
	}
	for i := range r.out.Claims {
		c := &r.out.Claims[i]
		if (c.Standing == Counts || c.Standing == Informs) && find(r.by[i]).replaces(c) {
			c.Standing = Superseded
		}
	}
	r.copies()
}

func (l *latest) hear(c *Judgement) {
	t := c.Statement.Time
	newest(&l.any, &l.spoke, t)
	if c.Standing != Counts {
		return
	}
	if c.Statement.Safe() {
		newest(&l.safe, &l.saysSafe, t)
		if c.Versioned {
			newest(&l.versioned, &l.saysVersioned, t)
		}
	}
}

func newest(to *time.Time, is *bool, t time.Time) {
	if !*is || t.After(*to) {
		*to, *is = t, true
	}
}

func (l *latest) replaces(c *Judgement) bool {
	t := c.Statement.Time
	if c.Statement.Status != Affected {
		return l.any.After(t)
	}
	assured := l.saysSafe && l.safe.After(t)
	if c.Versioned {
		assured = l.saysVersioned && l.versioned.After(t)
	}
	return assured
}

// copies keeps the first of the claims by which one issuer says the same.
func (r *resolution) copies() {
	list := r.out.Claims
	if len(list) > 16 {
		type key struct {
			issuer        int
			content       string
			product, part int
		}
		seen := make(map[key]bool, len(list))
		for i := range list {
			c := &list[i]
			if c.Standing != Counts && c.Standing != Informs {
				continue
			}
			k := key{r.by[i], c.Statement.Content, c.Product, c.Part}
			if seen[k] {
				c.Standing = Copied
			}
			seen[k] = true
		}
		return
	}
	for i := range list {
		c := &list[i]
		if c.Standing != Counts && c.Standing != Informs {
			continue
		}
		for k := range i {
			d := &list[k]
			if (d.Standing == Counts || d.Standing == Informs) && r.by[k] == r.by[i] && d.Statement.Content == c.Statement.Content && d.Product == c.Product && d.Part == c.Part {
				c.Standing = Copied
				break
			}
		}
	}
}

// decide joins the tiers.
func (r *resolution) decide() {
	out := r.out
	for i := range out.Claims {
		if c := &out.Claims[i]; c.Standing == Counts && (out.Tier == 0 || c.Issuer.Tier < out.Tier) {
			out.Tier = c.Issuer.Tier
		}
	}
	affected, safe, below := -1, -1, false
	for i := range out.Claims {
		c := &out.Claims[i]
		switch {
		case c.Standing == Informs:
			out.Informing = append(out.Informing, i)
		case c.Standing != Counts:
		case c.Issuer.Tier > out.Tier:
			below = true
		case c.Statement.Safe():
			out.Value = out.Value.Join(SaysSafe)
			safe = r.stronger(safe, i)
		default:
			out.Value = out.Value.Join(SaysAffected)
			affected = r.stronger(affected, i)
		}
	}
	r.conclude(affected, safe)
	if out.Tier > 0 {
		r.against(below)
	}
}

// stronger picks which of two claims of a tier proves: fixed before not affected,
// signed before unsigned, then the newer, then the first.
func (r *resolution) stronger(a, b int) int {
	if a < 0 {
		return b
	}
	x, y := r.out.Claims[a].Statement, r.out.Claims[b].Statement
	if p, q := x.Status == Fixed, y.Status == Fixed; p != q {
		return pick(p, a, b)
	}
	if p, q := x.Origin.Signature == Verified, y.Origin.Signature == Verified; p != q {
		return pick(p, a, b)
	}
	return pick(!y.Time.After(x.Time), a, b)
}

func pick(first bool, a, b int) int {
	if first {
		return a
	}
	return b
}

func (r *resolution) conclude(affected, safe int) {
	out := r.out
	switch out.Value {
	case SaysNothing:
		if len(out.Informing) > 0 {
			out.Status = UnderInvestigation
			out.Deciding = out.Informing[:1:1]
		}
		return
	case SaysSafe:
		out.Status = out.Claims[safe].Statement.Status
		out.Deciding = []int{safe}
	case SaysAffected:
		out.Status = Affected
		out.Deciding = []int{affected}
	case SaysBoth:
		out.Status, out.Disputed = Affected, true
		out.Deciding = []int{min(affected, safe), max(affected, safe)}
	}
	out.Signed = true
	for _, i := range out.Deciding {
		out.Signed = out.Signed && out.Claims[i].Statement.Origin.Signature == Verified
	}
}

// against lists who contradicts. A lower tier that warns where the deciding one
// assures makes the decision disputed; one that assures where it warns changes
// nothing, and is listed.
func (r *resolution) against(below bool) {
	out := r.out
	if out.Value != SaysBoth && !below {
		return
	}
	for i := range out.Claims {
		c := &out.Claims[i]
		if c.Standing != Counts || slices.Contains(out.Deciding, i) {
			continue
		}
		if warns := !c.Statement.Safe(); out.Value == SaysBoth || warns != (out.Status == Affected) {
			out.Against = append(out.Against, i)
			out.Disputed = out.Disputed || warns
		}
	}
}
