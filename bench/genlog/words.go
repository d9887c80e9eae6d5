package genlog

import "strings"

// Words that addresses, host names and Subjects are drawn from; the front of
// a list is drawn more often.
var (
	given = strings.Fields(`ann ben carl dora emil fay gus hana ivan jo kim lea max nora olaf pia quin rosa sam tina
		udo vera walt xena yuri zoe adam bea chris dirk elsa finn gina hugo ines jan karla leo mara nils olga paul
		rita sven thea uwe vito wanda yara`)
	family = strings.Fields(`abel baker carter dorn eder fuchs gray huber iyer jansen keller lopez meyer novak olsen
		popov quist rossi silva tanaka ullman vogel weber xu young zimmer adler brandt castro dietz ebert frank
		gruber hansen ito jung kraus lang moreau nagel otto pfeifer ramos sato thoma urban vidal wolf yamada zeller
		arnold bauer conti duran engel ferrari garcia horvat ivanov jimenez kovac lehmann marti nilsson ortega petrov`)
	topic = strings.Fields(`re invoice meeting report order update your account statement delivery notice weekly offer
		newsletter project status request payment reminder contract schedule minutes question answer fwd draft
		review approval holiday plan budget quarter results travel booking confirmation ticket support case closed
		opened password reset welcome training server backup failed succeeded alert disk usage network maintenance
		window tonight tomorrow monday tuesday friday december january price list catalogue sample shipment customs
		tracking number receipt refund credit note purchase proposal quotation tender deadline extension interview
		candidate offerletter onboarding laptop phone number change address correction urgent important action
		required please read agenda attached photos party birthday lunch dinner concert season subscription renewal
		expires licence key audit finding compliance policy survey feedback thanks hello greetings draft final version`)
)
