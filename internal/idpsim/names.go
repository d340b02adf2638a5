package idpsim

import "strings"

// name is a name as it is written, and as it stands in an address. One without a space has both spellings alike.
type name struct{ written, ascii string }

// parseNames reads words of the form Written or Written=ascii.
func parseNames(list string) []name {
	var out []name
	for _, w := range strings.Fields(list) {
		written, ascii, ok := strings.Cut(w, "=")
		if !ok {
			ascii = strings.ToLower(written)
		}
		out = append(out, name{strings.ReplaceAll(written, "_", " "), ascii})
	}
	return out
}

func givenNames() []name {
	return parseNames(`Ada Alan Amelia Amina Anders Anjali Antonio Aoife=aoife Arjun Astrid Ayşe=ayse Beatriz Björn=bjorn
		Bogdan Carlos Camille Chiara Chidi Chloé=chloe Daniel Diego Dimitri Dũng=dung Ebru Eero Elif Emeka Emily Esther
		Fatima Felix François=francois Freya Gabriela Georgios Giulia Grace Grzegorz Hana Hassan Héctor=hector Hiroshi
		Ibrahim Ines Ingrid Isabel Ivan Jakub Jana João=joao José=jose Jürgen=juergen Kaito Karim Katarzyna Kavya Kemal
		Kwame Lars Latifa Laura Leila Liam Linh Lucía=lucia Łukasz=lukasz Maeve Magnus Mariam Márta=marta Mateo Maya
		Mei Mikhail Mohammed Møna=moena Nadia Naomi Ngozi Niamh=niamh Nikolai Noah Olga Olivia Omar Oskar Paolo Paula
		Pedro Petra Priya Quentin Rachel Rafał=rafal Rahul Renée=renee Rosa Ruth Sakura Samuel Şebnem=sebnem Sergei
		Siobhán=siobhan Sofia Søren=soeren Sunita Svetlana Takumi Tamara Thandiwe Tomáš=tomas Uchenna Valentina Vera
		Wei Xin Yasmin Yuki Yusuf Zainab Zoë=zoe Željko=zeljko 明美=akemi 建国=jianguo 지훈=jihun Ольга=olga
		Дмитрий=dmitri Ελένη=eleni أحمد=ahmed अनिल=anil`)
}

func surnames() []name {
	return parseNames(`Abara Adeyemi Ahmed Almeida Andersson Baker Banerjee Bauer Becker Bernard Bianchi Björk=bjork Bos
		Brown Carvalho Castillo Chen Choi Clarke Cohen Costa Da_Silva=dasilva De_Vries=devries Demir Diaz Dubois Dvořák=dvorak
		Edwards Eriksen Esposito Fernández=fernandez Fischer Fontaine Fraser Fujimoto García=garcia Gomez Goldberg Grant
		Gupta Haddad Hansen Hernández=hernandez Hoffmann Horváth=horvath Huang Hughes Ibáñez=ibanez Ito Ivanova Jansen
		Jensen Johansson Jones Kamau Kaplan Kaya Keller Khan Kim Kovács=kovacs Kowalski Kumar Laurent Lee Lefèvre=lefevre
		Li Lindqvist López=lopez Lovelace MacLeod=macleod Martínez=martinez Mbeki Mendes Meyer Moreau Müller=mueller
		Murphy Nakamura Ng Nguyễn=nguyen Nielsen Novák=novak Nowak O'Brien=obrien O'Connor=oconnor Okafor Okonkwo Oliveira
		Olsen Ortiz Özdemir=ozdemir Papadopoulos Park Patel Pereira Petrov Popescu Quinn Rahman Ramírez=ramirez Reyes
		Ricci Romano Rossi Ruiz Saito Sánchez=sanchez Santos Schmidt Schröder=schroeder Sharma Silva Singh Smirnov Smith
		Sørensen=soerensen Sokolov Suzuki Svensson Szabó=szabo Takahashi Tanaka Taylor Torres Tran Turing Varga Vasquez
		Virtanen Wagner Walker Wang Weber Williams Wójcik=wojcik Wright Yamamoto Yılmaz=yilmaz Zhang Zimmermann 王=wang
		田中=tanaka 김=kim Иванов=ivanov Παπαδόπουλος=papadopoulos العلي=alali शर्मा=sharma`)
}

func groupNames() []string {
	return strings.Split("Engineering,Platform,Design,Product,Security,Data,Support,Sales,Marketing,Finance,People,Legal,"+
		"Site Reliability,Mobile,Frontend,Backend,Payments,Identity,Developer Experience,Quality,Research,Machine Learning,"+
		"Analytics,Customer Success,Partnerships,Procurement,Facilities,Internal IT,Compliance,Growth,Documentation,"+
		"Localisation (日本語),Infrastructure,Networking,Release Management,Architecture,Revenue Operations,Communications,"+
		"Büro Zürich,Équipe Lyon", ",")
}

func cities() []string {
	return strings.Split("Berlin,Lagos,São Paulo,Toronto,Bengaluru,Tokyo,Warsaw,Dublin,Madrid,Nairobi,Sydney,Oslo,"+
		"Lisbon,Seoul,Montréal,Kraków", ",")
}

func jobTitles() []string {
	return strings.Split("Software Engineer,Senior Software Engineer,Staff Engineer,Engineering Manager,Product Manager,"+
		"Designer,Data Analyst,Security Analyst,Site Reliability Engineer,Support Specialist,Account Executive,Recruiter,"+
		"Accountant,Legal Counsel,Technical Writer,Office Manager,Director", ",")
}
