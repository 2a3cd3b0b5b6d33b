package words

var (
	andWord      = Hash("and")
	allWord      = Hash("all")
	rightsWord   = Hash("rights")
	reservedWord = Hash("reserved")
)

// equivalents are the words that count as another one (guideline 8; the list's
// equivalentwords.txt).
var equivalents = func() map[uint32]uint32 {
	table := map[uint32]uint32{}
	for _, p := range [][2]string{
		{"acknowledgement", "acknowledgment"}, {"analogue", "analog"}, {"analyse", "analyze"}, {"artefact", "artifact"},
		{"authorisation", "authorization"}, {"authorised", "authorized"}, {"calibre", "caliber"}, {"cancelled", "canceled"},
		{"capitalisations", "capitalizations"}, {"catalogue", "catalog"}, {"categorise", "categorize"}, {"centre", "center"},
		{"emphasised", "emphasized"}, {"favour", "favor"}, {"favourite", "favorite"}, {"fulfil", "fulfill"},
		{"fulfilment", "fulfillment"}, {"https", "http"}, {"initialise", "initialize"}, {"judgement", "judgment"},
		{"labelling", "labeling"}, {"labour", "labor"}, {"licence", "license"}, {"licences", "licenses"}, {"licenced", "licensed"},
		{"maximise", "maximize"}, {"merchantibility", "merchantability"}, {"modelled", "modeled"}, {"modelling", "modeling"},
		{"offence", "offense"}, {"optimise", "optimize"}, {"organisation", "organization"}, {"organise", "organize"},
		{"owner", "holder"}, {"owners", "holders"}, {"practise", "practice"}, {"programme", "program"}, {"realise", "realize"},
		{"recognise", "recognize"}, {"signalling", "signaling"}, {"sublicence", "sublicense"}, {"utilisation", "utilization"},
		{"whilst", "while"}, {"wilful", "wilfull"}, {"willful", "wilfull"},
	} {
		table[Hash(p[0])] = Hash(p[1])
	}
	return table
}()

// pairs are two words that count as one.
var pairs = map[[2]uint32]uint32{
	{Hash("sub"), Hash("license")}:    Hash("sublicense"),
	{Hash("sub"), Hash("licenses")}:   Hash("sublicenses"),
	{Hash("sub"), Hash("licensed")}:   Hash("sublicensed"),
	{Hash("non"), Hash("commercial")}: Hash("noncommercial"),
	{Hash("per"), Hash("cent")}:       Hash("percent"),
}
