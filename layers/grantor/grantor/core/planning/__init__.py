"""From rules and inventory to wanted grants, a plan and the guard's verdict."""
