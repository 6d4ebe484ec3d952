// Reads one JSON text a line, a GraphQL document each; says what our parser and validator think of it: "syntax", "invalid" or "valid".
#include "plugins/dashboard/graphql/schema_text.hpp"
#include "plugins/dashboard/graphql/validate.hpp"

#include <boost/json/parse.hpp>
#include <iostream>

using namespace airmail::dashboard::graphql;

int main() {
    schema const s{schema_text()};
    for (std::string line; std::getline(std::cin, line);) {
        auto const text = boost::json::parse(line).as_string();
        auto parsed = parse(std::string_view{text.data(), text.size()});
        if (auto* e = std::get_if<request_error>(&parsed)) std::cout << "syntax\t" << e->message << '\n';
        else if (auto errors = validate(s, std::get<document>(parsed)); !errors.empty()) std::cout << "invalid\t" << errors[0].message << '\n';
        else std::cout << "valid\t\n";
    }
}
