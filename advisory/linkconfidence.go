package advisory

// What each part of the confidence weighs, in percent; see [Link].
const (
	weightAliases    = 40
	weightPackages   = 25
	weightVersions   = 15
	weightSeverity   = 10
	weightReferences = 10
)

// What each kind of conflict takes away, in percent.
func penalty(kind ConflictKind) int {
	switch kind {
	case ConflictAlias:
		return 15
	case ConflictSize:
		return 20
	case ConflictWithdrawn:
		return 10
	}
	return 5
}

// neutral is what a part counts that says nothing, of 100.
const neutral = 50

// confidence computes how well members hang together, in percent; see [Link].
func (s *Linkset) confidence(members []inSet, versions comparedPackages, spread int) int {
	if len(members) == 1 {
		return 100
	}
	aliases := 0
	for i := range members {
		aliases += 100 / max(1, len(members[i].path)-1)
	}
	sum := weightAliases*(aliases/len(members)) + weightPackages*share(versions.shared, versions.naming) +
		weightVersions*versions.agreement() + weightSeverity*severityAgreement(spread) + weightReferences*sharedReferences(members)
	total := sum / 100
	seen := map[ConflictKind]bool{}
	for _, c := range s.Conflicts {
		if !seen[c.Kind] {
			total -= penalty(c.Kind)
			seen[c.Kind] = true
		}
	}
	return max(total, 0)
}

// share returns part of whole in percent; fewer than two say nothing.
func share(part, whole int) int {
	if whole < 2 {
		return neutral
	}
	return part * 100 / whole
}

// agreement returns how far members agree about versions, in percent.
func (c *comparedPackages) agreement() int {
	if len(c.packages) == 0 {
		return neutral
	}
	sum := 0
	for _, p := range c.packages {
		switch p.agreement {
		case equivalent:
			sum += 100
		case overlapping:
			sum += 60
		}
	}
	return sum / len(c.packages)
}

// severityAgreement grades a spread of base scores, in tenths.
func severityAgreement(spread int) int {
	switch {
	case spread < 0:
		return neutral
	case spread <= 1:
		return 100
	case spread <= 10:
		return 50
	}
	return 0
}

// sharedReferences returns half for nothing, and the other half for the share
// of members that have a reference in common with another.
func sharedReferences(members []inSet) int {
	byURL := map[string]int{}
	mine := make([]map[string]bool, 0, len(members))
	for i := range members {
		if !members[i].speaks() || len(members[i].record.References) == 0 {
			continue
		}
		urls := map[string]bool{}
		for _, ref := range members[i].record.References {
			urls[ref.URL] = true
		}
		for url := range urls {
			byURL[url]++
		}
		mine = append(mine, urls)
	}
	sharing := 0
	for _, urls := range mine {
		for url := range urls {
			if byURL[url] > 1 {
				sharing++
				break
			}
		}
	}
	if len(mine) < 2 {
		return neutral
	}
	return neutral + sharing*(100-neutral)/len(mine)
}
